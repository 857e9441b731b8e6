"""Reading one segment that somebody else may be writing, may have damaged, or may be about to delete.

Nothing is mapped: a mapping of a file that another process truncates kills its reader with SIGBUS,
where ``pread`` just returns fewer bytes. Everything read is checked before it is used as an offset.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from stethoscope.names import Kind, Metric
from stethoscope.store import layout
from stethoscope.store.buckets import buckets_for
from stethoscope.store.layout import Record, Role
from stethoscope.store.segment import ADDRESS_SPACE

_UNTIL_USED: Final = layout.HEADER.size


class Damaged(Exception):
    """A segment cannot be read; the text is a short reason, used as a label."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a series is called across segments. ``pid`` is set where workers are not merged (`stethoscope.store.merge.worker_ids`)."""

    metric: Metric
    labels: tuple[str, ...]
    overflow: bool = False
    pid: int | str = 0


@dataclass(frozen=True, slots=True)
class SeriesEntry:
    key: Key
    created: float
    word: int


class Index:
    """Where things are in a segment. Grows with it; entries never change."""

    def __init__(self) -> None:
        self.metrics: list[Metric] = []
        self.series: list[SeriesEntry] = []
        self.blocks: list[tuple[int, int, int]] = []
        """Series ordinal, block number, offset of the counts."""
        self.wide: list[tuple[int, int, int]] = []
        self.folded: set[bytes] = set()
        self.parsed = layout.HEADER.size
        self.damaged = False

    def extend(self, data: bytes, used: int) -> None:
        """Read the records that were published since the last time, up to one that cannot be read.

        The next time tries that one again: another processor's stores may have come in another order (A3 of `segment`).
        """
        self.damaged = False
        while self.parsed < used and not self.damaged:
            try:
                self.parsed = self._read_record(data, self.parsed, used)
            except (ValueError, TypeError, IndexError, OverflowError, RecursionError, struct.error):
                self.damaged = True

    def _read_record(self, data: bytes, start: int, used: int) -> int:
        size, kind, length, checksum = layout.RECORD.unpack_from(data, start)
        first = start + layout.RECORD.size
        live = first + layout.padded(length)
        stop: int = start + size
        if not live <= stop <= used:
            raise ValueError("record out of bounds")
        fixed = data[first : first + length]
        if crc32(fixed) != checksum:
            raise ValueError("checksum mismatch")
        self._add(kind, fixed, live, stop - live)
        return stop

    def _add(self, kind: int, fixed: bytes, live: int, live_bytes: int) -> None:
        if kind == Record.BLOCK:
            self.blocks.append(self._block(fixed, live, live_bytes, layout.BLOCK_BYTES))
        elif kind == Record.SERIES:
            self.series.append(self._series(fixed, live, live_bytes))
        elif kind == Record.METRIC:
            self.metrics.append(layout.metric_from_bytes(fixed))
        elif kind == Record.WIDE:
            self.wide.append(self._block(fixed, live, live_bytes, layout.WIDE_BYTES))
        elif kind == Record.FOLDED:
            self.folded.add(fixed)
        else:
            raise ValueError("unknown kind of record")

    def _series(self, fixed: bytes, live: int, live_bytes: int) -> SeriesEntry:
        metric_number, flags, created = layout.SERIES.unpack_from(fixed)
        metric = self.metrics[metric_number]
        labels = layout.labels_from_bytes(fixed[layout.SERIES.size :])
        if len(labels) != len(metric.labels) or live_bytes != layout.live_series_bytes(metric):
            raise ValueError("series does not fit its metric")
        return SeriesEntry(Key(metric, labels, bool(flags & layout.OVERFLOW_FLAG)), created, live // 8)

    def _block(self, fixed: bytes, live: int, live_bytes: int, expected: int) -> tuple[int, int, int]:
        series, block = layout.BLOCK.unpack(fixed)
        metric = self.series[series].key.metric
        if live_bytes != expected or metric.kind is not Kind.HISTOGRAM or block >= buckets_for(metric).block_count:
            raise ValueError("block does not fit its series")
        return series, block, live


@dataclass(frozen=True, slots=True)
class Contents:
    """One reading of a segment: its index, and the bytes that hold the live numbers."""

    index: Index
    data: bytes
    identity: bytes
    pid: int
    role: Role
    created: float

    @property
    def age_rank(self) -> tuple[bool, float]:
        """Sorts segments: totals, then workers by their start."""
        return self.role is not Role.TOTALS, self.created

    def words(self) -> memoryview[float]:
        return memoryview(self.data)[: len(self.data) & ~7].cast("d")


class SegmentReader:
    """Reads one segment again and again; remembers what cannot change. For one thread at a time."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._index = Index()
        self.identity = b""

    def read(self) -> Contents:
        """Raises `Damaged`; OSError when the file cannot be read."""
        head = os.pread(self.descriptor, _UNTIL_USED, 0)
        used = self._check(head)
        data = os.pread(self.descriptor, used, 0)
        return self.parse(data, used)

    def parse(self, data: bytes, used: int) -> Contents:
        if len(data) < used:
            raise Damaged("truncated")
        _, _, _, identity, created, pid, role, _ = layout.HEADER.unpack_from(data)
        self.identity = identity
        self._index.extend(data, used)
        return Contents(self._index, data, identity, pid, Role(role), created)

    def _check(self, head: bytes) -> int:
        if len(head) < layout.HEADER.size:
            raise Damaged("truncated")
        magic, version, checksum, identity, _, _, role, used = layout.HEADER.unpack(head)
        if magic != layout.MAGIC or crc32(head[16:48]) != checksum or role not in iter(Role):
            raise Damaged("foreign")
        if version != layout.VERSION:
            raise Damaged("version")
        if not layout.HEADER.size <= used <= ADDRESS_SPACE:
            raise Damaged("damaged")
        if self.identity not in (b"", identity):
            raise Damaged("replaced")
        return int(used)

    @property
    def damaged(self) -> bool:
        """Whether a record was found that cannot be read, so that what follows it is missing."""
        return self._index.damaged

    def close(self) -> None:
        os.close(self.descriptor)


def read_image(data: bytes) -> Contents:
    """Contents of bytes that `Segment.image` made. Raises `Damaged`."""
    reader = SegmentReader(-1)
    return reader.parse(data, reader._check(data[:_UNTIL_USED]))
