"""The bytes of a segment: a header, then records that only ever get appended.

All numbers are native little-endian and aligned to their size. Readers trust none of them: see
`stethoscope.store.reader`.

    header (64 bytes)
      0   8s  magic
      8   u32 version of this layout
      12  u32 CRC-32 of bytes 16-47
      16  16s identity, random
      32  f64 Unix time of creation, seconds
      40  u32 process id of the writer, for people
      44  u32 role (worker, totals or deputy)
      48  8x
      56  u64 used: where the next record will begin; stored last, which publishes the record

    record (at a multiple of 8)
      0   u32 size of the record
      4   u32 kind
      8   u32 length of the fixed part
      12  u32 CRC-32 of the fixed part
      16  fixed part, padded to 8; never changes once published
      …   live part: the numbers that the writer counts up in place

    kind     fixed part                                            live part
    METRIC   JSON of `stethoscope.names.Metric`                    -
    SERIES   u32 metric, u32 flags, f64 created, JSON of labels    f64 value or sum, f64 Unix time of last set;
                                                                   of a histogram u64 counts of its explicit buckets
    BLOCK    u32 series, u32 block                                 64 × u32 counts
    WIDE     u32 series, u32 block                                 64 × u64 counts (totals only)
    FOLDED   16s identity of a segment that these totals contain   -

Metrics and series are referred to by their ordinal among the records of their kind. Several blocks
of one series may have the same number: their counts add up, which is how a 32-bit count that is
full goes on in a fresh block.
"""

from __future__ import annotations

import json
import struct
from enum import IntEnum
from typing import Final
from zlib import crc32

from stethoscope.names import Kind, Merge, Metric

MAGIC: Final = b"STETHSEG"
VERSION: Final = 1
HEADER: Final = struct.Struct("<8sII16sdII8xQ")
USED_WORD: Final = 7
"""Index of ``used`` when the segment is seen as 8-byte words."""

RECORD: Final = struct.Struct("<IIII")
SERIES: Final = struct.Struct("<IId")
BLOCK: Final = struct.Struct("<II")
BLOCK_BYTES: Final = 256
WIDE_BYTES: Final = 512
SCALAR_WORDS: Final = 2
"""Words of 8 bytes that every series has; a histogram's bucket counts follow."""
OVERFLOW_FLAG: Final = 1


# Taken once: an app may replace functions of the json module, and would be asked to encode for us.
_to_json: Final = json.JSONEncoder(separators=(",", ":")).encode
_from_json: Final = json.JSONDecoder().decode


class Role(IntEnum):
    WORKER = 0
    TOTALS = 1
    DEPUTY = 2
    """A sidecar, in place of workers."""


class Record(IntEnum):
    METRIC = 1
    SERIES = 2
    BLOCK = 3
    WIDE = 4
    FOLDED = 5


def live_series_bytes(metric: Metric) -> int:
    """Length of the live part of a series' record."""
    buckets = len(metric.bounds) + 1 if metric.kind is Kind.HISTOGRAM else 0
    return 8 * (SCALAR_WORDS + buckets)


def header(identity: bytes, created: float, pid: int, role: Role, used: int) -> bytes:
    checked = HEADER.pack(MAGIC, VERSION, 0, identity, created, pid, role, used)
    return HEADER.pack(MAGIC, VERSION, crc32(checked[16:48]), identity, created, pid, role, used)


def padded(length: int) -> int:
    return (length + 7) & ~7


def metric_to_bytes(metric: Metric) -> bytes:
    fields = [
        metric.name,
        metric.kind,
        metric.help,
        metric.labels,
        metric.unit,
        metric.bounds,
        metric.merge,
        metric.otel,
    ]
    return _to_json(fields).encode()


def metric_from_bytes(data: bytes) -> Metric:
    """Raises ValueError or TypeError when the bytes are not a metric's."""
    name, kind, help, labels, unit, bounds, merge, otel = _from_json(data.decode())
    texts = (name, help, unit, otel, *labels)
    if not all(isinstance(text, str) for text in texts) or sorted(set(map(float, bounds))) != bounds:
        raise ValueError("not a metric")
    return Metric(name, Kind(kind), help, tuple(labels), unit, tuple(map(float, bounds)), Merge(merge), otel)


def labels_to_bytes(labels: tuple[str, ...]) -> bytes:
    return _to_json(labels).encode()


def labels_from_bytes(data: bytes) -> tuple[str, ...]:
    """Raises ValueError when the bytes are not label values."""
    labels = _from_json(data.decode())
    if not isinstance(labels, list) or not all(isinstance(value, str) for value in labels):
        raise ValueError("not label values")
    return tuple(labels)
