"""The hot side of the store, and the seam where a compiled one would go: series with their place in shared memory.

Recording is a few aligned stores: no lock between processes, no system call. Threads: with the
interpreter lock, ``view[i] += x`` on a memoryview is indivisible, because CPython (3.11 to 3.14)
switches threads only at calls of Python functions and at backward jumps. Interpreters without that
lock get the subclasses that take a lock of their own around each record.

What a record costs is mostly attribute and index operations of 10–90 ns each. So there is one flat
function for each shape of record, and sizes, which repeat, remember where they were counted:
``python -m benchmarks inprocess`` shows the sum.
"""

from __future__ import annotations

import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Final

from stethoscope import hot
from stethoscope.names import Metric
from stethoscope.store.buckets import buckets_for
from stethoscope.store.layout import SCALAR_WORDS
from stethoscope.store.segment import Segment

UNBOUND: Final = 0
"""No place: index 0 is in a segment's header, where nothing is recorded."""

_NOWHERE: Final = memoryview(b"")
_MOST_PLACES: Final = 256
_SCRAP: Final = memoryview(bytearray(64 << 10))
"""What a detached series writes to. A thread may be half-way through a record then: `Scalar.set` stores the value and calls ``time.time()``,
where threads may switch and `detach` may run; its second store then goes to word 1, which in a segment is in the header. The same
can happen between being given a place, or a block, and writing there."""


State = tuple[int, list[int]]
"""Where a series was: its word, and the lanes of its blocks."""


@hot.quicken
class Scalar(hot.Scalar):
    """A counter's or gauge's series in this process."""

    __slots__ = ()

    def __init__(self, bind: Callable[[Scalar], bool]) -> None:
        self._bind = bind
        self.word: int = UNBOUND
        self.words: memoryview[float] = _NOWHERE.cast("d")

    def add(self, amount: float) -> None:
        """Add ``amount``, a finite number. Any thread."""
        word = self.word
        if word:
            self.words[word] += amount
        elif self._bind(self):
            self.words[self.word] += amount

    def set(self, value: float) -> None:
        """Set a gauge, and when that was. Any thread; the last one wins."""
        if self.word or self._bind(self):
            self.words[self.word] = value
            self.words[self.word + 1] = time.time()

    def get(self) -> float:
        """What this process has recorded, without other workers."""
        return float(self.words[self.word]) if self.word else 0.0

    def attach(self, segment: Segment, word: int) -> None:
        self.words, self.word = segment.words, word

    def detach(self) -> State:
        """Have no place any more; returns what `resume` needs."""
        state: State = (self.word, [])
        self.words, self.word = _SCRAP.cast("d"), UNBOUND
        return state

    def resume(self, segment: Segment, state: State) -> None:
        """Go on in a segment that is a copy of the one where it was."""
        if state[0]:
            self.attach(segment, state[0])

    def after_fork(self) -> None:
        """Have no place any more, in a child whose other threads are gone, and with them what they held."""
        self.detach()


@hot.quicken
class HistogramSeries(hot.HistogramSeries):
    """A histogram's series in this process."""

    __slots__ = ()

    def __init__(self, metric: Metric, bind_block: Callable[[HistogramSeries, int], bool]) -> None:
        buckets = buckets_for(metric)
        self.bounds, self.edges = buckets.bounds, buckets.edges
        self.bucket_of = buckets.bucket_of
        self._bind_block = bind_block
        self._no_blocks = (UNBOUND,) * buckets.block_count
        self.blocks: list[int] = list(self._no_blocks)
        self.places: dict[float, tuple[int, int]] = {}
        """Where values that repeat are counted: index in ``lanes``, and in ``longs``."""
        self.lanes: memoryview[int] = _NOWHERE.cast("I")
        self.longs: memoryview[int] = _NOWHERE.cast("Q")
        self.words: memoryview[float] = _NOWHERE.cast("d")
        self.word = self.bucket = UNBOUND

    def record(self, value: float) -> None:
        """Count one observation in base units, finite and not negative. Any thread.

        The caller refuses all other values: see `Recorder.refuse`.
        """
        cell = bisect_left(self.bounds, value)
        block = self.blocks[cell >> 6]
        if block:
            try:
                self.lanes[block + (cell & 63)] += 1
            except ValueError:
                self.record_in_new_block(cell, value)
            else:
                self.longs[self.bucket + self.bucket_of[cell]] += 1
                self.words[self.word] += value
        else:
            self.record_in_new_block(cell, value)

    def record_in_new_block(self, cell: int, value: float) -> None:
        """The first record in a block, and the one after a count has reached 2**32: then a fresh block goes on."""
        if self._bind_block(self, cell >> 6):
            self.places.clear()
            self.lanes[self.blocks[cell >> 6] + (cell & 63)] += 1
            self.longs[self.bucket + self.bucket_of[cell]] += 1
            self.words[self.word] += value

    def record_repeating(self, value: float) -> None:
        """As `record`, for a value that is likely to come again: remembers its place."""
        try:
            lane, bucket = self.places[value]
            self.lanes[lane] += 1
            self.longs[bucket] += 1
            self.words[self.word] += value
        except (KeyError, ValueError):
            self.record(value)
            if len(self.places) < _MOST_PLACES:
                cell = bisect_left(self.bounds, value)
                if block := self.blocks[cell >> 6]:
                    self.places[value] = (block + (cell & 63), self.bucket + self.bucket_of[cell])

    def attach(self, segment: Segment, word: int) -> None:
        self.words, self.longs, self.lanes = segment.words, segment.longs, segment.lanes
        self.word, self.bucket = word, word + SCALAR_WORDS

    def detach(self) -> State:
        """Have no place any more; returns what `resume` needs."""
        state = self.word, self.blocks
        self.places = {}
        self.blocks = list(self._no_blocks)
        self.words, self.longs, self.lanes = _SCRAP.cast("d"), _SCRAP.cast("Q"), _SCRAP.cast("I")
        self.word = self.bucket = UNBOUND
        return state

    def resume(self, segment: Segment, state: State) -> None:
        """Go on in a segment that is a copy of the one where it was."""
        word, blocks = state
        if word:
            self.attach(segment, word)
            self.blocks = blocks

    def after_fork(self) -> None:
        """Have no place any more, in a child whose other threads are gone, and with them what they held."""
        self.detach()


@hot.quicken
class RequestSeries(hot.RequestSeries):
    """What is recorded of every request: a duration and two sizes, in one call."""

    __slots__ = ()

    def __init__(self, duration: HistogramSeries, received: HistogramSeries, sent: HistogramSeries) -> None:
        self._duration = duration
        self._received = received
        self._sent = sent

    def record(self, seconds: float, received: int, sent: int) -> None:
        """Seconds and bytes, none of them negative. A request without a body has no size. Any thread."""
        series = self._duration
        cell = bisect_left(series.bounds, seconds)
        block = series.blocks[cell >> 6]
        try:
            if block:
                series.lanes[block + (cell & 63)] += 1
                series.longs[series.bucket + series.bucket_of[cell]] += 1
                series.words[series.word] += seconds
            else:
                series.record_in_new_block(cell, seconds)
        except ValueError:
            series.record_in_new_block(cell, seconds)
        if received:
            self._received.record_repeating(received)
        series = self._sent
        try:
            lane, bucket = series.places[sent]
            series.lanes[lane] += 1
            series.longs[bucket] += 1
            series.words[series.word] += sent
        except (KeyError, ValueError):
            series.record_repeating(sent)


class _LockedScalar(Scalar):
    """For interpreters without a global lock. Binds without holding its lock: whoever detaches holds the recorder's."""

    __slots__ = ("_lock",)

    def __init__(self, bind: Callable[[Scalar], bool]) -> None:
        super().__init__(bind)
        self._lock = threading.Lock()

    def add(self, amount: float) -> None:
        while True:
            with self._lock:
                if self.word:
                    self.words[self.word] += amount
                    return
            if not self._bind(self):
                return

    def set(self, value: float) -> None:
        while True:
            with self._lock:
                if self.word:
                    super().set(value)
                    return
            if not self._bind(self):
                return

    def detach(self) -> State:
        with self._lock:
            return super().detach()

    def after_fork(self) -> None:
        self._lock = threading.Lock()
        self.detach()


class _LockedHistogramSeries(HistogramSeries):
    """For interpreters without a global lock, as above."""

    __slots__ = ("_lock",)

    def __init__(self, metric: Metric, bind_block: Callable[[HistogramSeries, int], bool]) -> None:
        super().__init__(metric, bind_block)
        self._lock = threading.Lock()

    def record(self, value: float) -> None:
        cell = bisect_left(self.bounds, value)
        while not self._count(cell, value):
            if not self._bind_block(self, cell >> 6):
                return

    record_repeating = record

    def _count(self, cell: int, value: float) -> bool:
        """Count it if there is a block for it that is not full."""
        with self._lock:
            block = self.blocks[cell >> 6]
            if not block:
                return False
            try:
                self.lanes[block + (cell & 63)] += 1
            except ValueError:
                return False
            self.longs[self.bucket + self.bucket_of[cell]] += 1
            self.words[self.word] += value
            return True

    def detach(self) -> State:
        with self._lock:
            return super().detach()

    def after_fork(self) -> None:
        self._lock = threading.Lock()
        self.detach()


class _LockedRequestSeries(RequestSeries):
    """For interpreters without a global lock."""

    __slots__ = ()

    def record(self, seconds: float, received: int, sent: int) -> None:
        self._duration.record(seconds)
        if received:
            self._received.record(received)
        self._sent.record(sent)


FREE_THREADED: Final = not getattr(sys, "_is_gil_enabled", lambda: True)()

make_scalar: Final = _LockedScalar if FREE_THREADED else Scalar
make_histogram: Final = _LockedHistogramSeries if FREE_THREADED else HistogramSeries
make_request: Final = _LockedRequestSeries if FREE_THREADED else RequestSeries
