"""Writing a segment: reserve, append, publish.

Assumptions
  A1  One process writes a segment. Its threads append under the recorder's lock.
  A2  An aligned store of 4 or 8 bytes is never seen half done (x86-64, arm64).
  A3  Stores become visible in program order (x86-64), or a reader notices that they did not,
      because the fixed part of a record fails its CRC.

Guarantees
  G1  Every byte that is ever written was reserved before, so that a full disk is an OSError here
      and never a SIGBUS later.
  G2  A record is either published whole or not at all, wherever the writer dies.
  G3  Published records never move. Only their live parts change.
  G4  Nothing is appended once the writer has let go of the lock that says that it lives: whoever finds
      the file unlocked may cut off what is behind ``used``.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from zlib import crc32

from stethoscope.names import Metric
from stethoscope.store import layout
from stethoscope.store.layout import Record, Role

ADDRESS_SPACE: Final = 128 << 20
"""Bytes that a segment may grow to. Address space only: what is not reserved costs no memory."""

FIRST_RESERVATION: Final = 32 << 10
_LARGEST_COUNT: Final = (1 << 64) - 1
_LARGEST_STEP: Final = 64 << 10

Reserve = Callable[[int, int], None]
"""Make sure that bytes ``[start, stop)`` can be written; raise OSError when they cannot."""


class Segment:
    """A segment that this process writes.

    ``words``, ``longs`` and ``lanes`` are the whole segment seen as 8-byte floats, 64-bit and 32-bit
    counts: recording is ``words[i] += amount`` and ``lanes[i] += 1``, which the interpreter lock makes
    indivisible between threads, because neither runs Python code between its load and its store.
    """

    __slots__ = (
        "_reserve",
        "_reserved",
        "_series_bytes",
        "lanes",
        "longs",
        "series_count",
        "identity",
        "used",
        "words",
        "memory",
        "created",
    )

    def __init__(
        self,
        memory: mmap.mmap | bytearray,
        reserve: Reserve,
        role: Role = Role.WORKER,
        successor_of: Segment | None = None,
    ) -> None:
        """A successor begins as a copy, under the same identity. Raises OSError when no room can be reserved."""
        self.memory = memoryview(memory)
        self.words = self.memory.cast("d")
        self.lanes = self.memory.cast("I")
        self.longs = self.memory.cast("Q")
        self._reserve = reserve
        self._reserved = 0
        self._series_bytes: list[int] = list(successor_of._series_bytes) if successor_of else []
        self.series_count: int = successor_of.series_count if successor_of else 0
        self.identity: bytes = successor_of.identity if successor_of else os.urandom(16)
        self.created: float = successor_of.created if successor_of else time.time()
        self.used: int = successor_of.used if successor_of else layout.HEADER.size
        self._reserve_until(max(FIRST_RESERVATION, self.used))
        if successor_of:
            self.memory[: self.used] = successor_of.memory[: self.used]
        else:
            self.memory[: self.used] = layout.header(self.identity, self.created, os.getpid(), role, self.used)

    # A signal handler may raise in the middle of an append. CPython calls it at function calls only, so
    # that a record is published and counted in one piece: no call between the two.

    def append_metric(self, metric: Metric) -> int:
        """Returns the metric's ordinal."""
        series_bytes = layout.live_series_bytes(metric)
        self._append(Record.METRIC, layout.metric_to_bytes(metric), 0)
        self._series_bytes += (series_bytes,)
        return len(self._series_bytes) - 1

    def append_series(self, metric: int, labels: bytes, created: float, overflow: bool) -> int:
        """``metric`` is its ordinal. Returns the index into ``words`` of the series' value.

        The series' own ordinal is that of the last one: ``series_count - 1``.
        """
        fixed = layout.SERIES.pack(metric, layout.OVERFLOW_FLAG if overflow else 0, created) + labels
        offset = self._append(Record.SERIES, fixed, self._series_bytes[metric])
        self.series_count += 1
        return offset // 8

    def append_block(self, series: int, block: int) -> int:
        """Returns the index into ``lanes`` of the block's first count."""
        return self._append(Record.BLOCK, layout.BLOCK.pack(series, block), layout.BLOCK_BYTES) // 4

    def append_counts(self, series: int, block: int, counts: list[int]) -> None:
        """Append a block that has its counts already, in the width that they need. Sums of damaged counts may have outgrown any."""
        fixed = layout.BLOCK.pack(series, block)
        counts = [min(count, _LARGEST_COUNT) for count in counts]
        if max(counts) < 1 << 32:
            offset = self._append(Record.BLOCK, fixed, layout.BLOCK_BYTES)
            self.memory[offset : offset + layout.BLOCK_BYTES] = struct.pack("64I", *counts)
        else:
            offset = self._append(Record.WIDE, fixed, layout.WIDE_BYTES)
            self.memory[offset : offset + layout.WIDE_BYTES] = struct.pack("64Q", *counts)

    def append_folded(self, identity: bytes) -> None:
        self._append(Record.FOLDED, identity, 0)

    def seal(self) -> None:
        """Refuse records from now on. Those that are there can still be counted in."""
        self._reserved = self.used
        self._reserve = _refuse

    def image(self) -> bytes:
        """The published bytes, as a reader of the file would get them."""
        return bytes(self.memory[: self.used])

    def _append(self, kind: Record, fixed: bytes, live_bytes: int) -> int:
        """Publish a record whose live part is so many zeros; return the offset of that part.

        Raises OSError when no room can be reserved. Nothing has changed then.
        """
        start, live = self.used, layout.RECORD.size + layout.padded(len(fixed))
        size = live + live_bytes
        if start + size > self._reserved:
            self._reserve_until(start + size)
        layout.RECORD.pack_into(self.memory, start, size, kind, len(fixed), crc32(fixed))
        first = start + layout.RECORD.size
        self.memory[first : first + len(fixed)] = fixed
        self.used = start + size
        self.longs[layout.USED_WORD] = self.used  # publishes the record
        return start + live

    def _reserve_until(self, needed: int) -> None:
        if needed > len(self.memory):
            raise OSError(f"segment is full: {needed} bytes needed, {len(self.memory)} bytes is the most")
        step = min(max(FIRST_RESERVATION, self._reserved // 4), _LARGEST_STEP)
        stop = min(max(layout.padded(needed), self._reserved + step), len(self.memory))
        self._reserve(self._reserved, stop)
        self._reserved = stop


def _refuse(start: int, stop: int) -> None:
    raise OSError("its writer has let go of the segment")


def private_segment(role: Role = Role.WORKER, successor_of: Segment | None = None) -> Segment:
    """A segment in this process's own memory: nobody else sees it, and it ends with the process."""
    return Segment(mapped(-1), lambda start, stop: None, role, successor_of)


def mapped(descriptor: int) -> mmap.mmap:
    """A file of `ADDRESS_SPACE` bytes, or -1 for private memory, mapped as far as a limit on address space allows.

    Raises OSError when not even a small part can be mapped.
    """
    for size in (ADDRESS_SPACE, ADDRESS_SPACE >> 3):
        with suppress(OSError):
            return mmap.mmap(descriptor, size)
    return mmap.mmap(descriptor, ADDRESS_SPACE >> 6)
