"""Many segments become one view: sums for counters and histograms, each gauge by its own rule.

Adding up is done on whole blocks of counts as wide integers (see `stethoscope.store.lanes`), with
places that are looked up once per segment and remembered, because between two scrapes the live
numbers of a segment change but its records do not. It is done for each metric when somebody asks for that metric:
most readers want only a few.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from operator import add
from weakref import WeakKeyDictionary

from stethoscope.names import PER_WORKER, Kind, Merge, Metric
from stethoscope.store.buckets import CELLS_PER_BLOCK, Buckets, buckets_for, cells_in_block
from stethoscope.store.distribution import Distribution, Packed
from stethoscope.store.lanes import NOWHERE, Lanes, LateCounts, add_buckets, add_words
from stethoscope.store.layout import BLOCK_BYTES, SCALAR_WORDS, WIDE_BYTES, Role
from stethoscope.store.lazy import lazy
from stethoscope.store.lock import ReentrantLock
from stethoscope.store.reader import Contents, Index, Key, SeriesEntry
from stethoscope.store.snapshot import Family, Series

LIVE_ONLY = frozenset(mode for mode in Merge if mode.startswith("live")) | {Merge.ALL}


@dataclass(frozen=True, slots=True)
class Part:
    """One segment's contents, and whether its writer lives."""

    contents: Contents
    alive: bool


def _precedence(part: Part) -> _Precedence:
    """Sorts segments by whose definition of a metric holds: the dead before the living, and then the older first."""
    return part.alive, part.contents.age_rank


def worker_ids(parts: Iterable[Part]) -> dict[bytes, int | str]:
    """By the identity of their segments, what tells living writers from each other: their process ids.

    Containers that share a folder count processes each for themselves. Of those with one id, workers and older ones before
    others, only the first has it plain; the others' is followed by four hexadecimal digits of the segment's identity.
    """
    found: dict[bytes, int | str] = {}
    taken = set()
    for contents in sorted((part.contents for part in parts if part.alive), key=_seniority):
        pid = contents.pid
        found[contents.identity] = f"{pid}-{contents.identity.hex()[:4]}" if pid in taken else pid
        taken.add(pid)
    return found


def _seniority(contents: Contents) -> tuple[bool, float, bytes]:
    return contents.role is not Role.WORKER, contents.created, contents.identity


def worker_rank(worker: int | str) -> tuple[int, str]:
    """Sorts what `worker_ids` gives: by process ids."""
    pid, _, digits = str(worker).partition("-")
    return int(pid), digits


class BlockDistribution(Distribution):
    """A distribution kept as its explicit buckets, and as blocks that are added up only when cells are asked for."""

    def __init__(
        self, buckets: Buckets, explicit: bytes, counts: LateCounts, blocks: dict[int, int], sum: float
    ) -> None:
        """``explicit`` has a count of 64 bits for each bucket; ``blocks`` gives for each block's number where in ``counts`` it begins."""
        self.buckets = buckets
        self.sum = sum
        self._explicit = explicit
        self._counts = counts
        self._blocks = blocks

    @lazy
    def cumulative(self) -> tuple[int, ...]:
        return tuple(accumulate(memoryview(self._explicit).cast("Q")))

    def explicit(self) -> bytes:
        return self._explicit

    def lanes(self) -> Lanes | None:
        counts = self._counts.packed()
        return None if counts is None else (counts, self._blocks)

    def blocks(self) -> dict[int, list[int]]:
        counts = self._counts.get()
        return {block: list(counts[first : first + CELLS_PER_BLOCK]) for block, first in self._blocks.items()}

    def packed(self) -> Packed | None:
        return self._packed

    @lazy
    def _packed(self) -> Packed | None:
        counts = self._counts.packed()
        if counts is None:
            return None
        places = ((block, 4 * first) for block, first in self._blocks.items())
        return {block: int.from_bytes(counts[place : place + BLOCK_BYTES], "little") for block, place in places}

    @lazy
    def cells(self) -> dict[int, int]:  # type: ignore[override]
        return {cell: count for block, counts in self.blocks().items() for cell, count in cells_in_block(block, counts)}


class Families(Mapping[str, Family]):
    """Families by name, each made when it is asked for. Any thread."""

    def __init__(self, make: Mapping[str, Callable[[], Family]]) -> None:
        self._make = dict(sorted(make.items()))
        self._made: dict[str, Family] = {}

    def __getitem__(self, name: str) -> Family:
        if name not in self._made:
            self._made[name] = self._make[name]()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._make

    def __iter__(self) -> Iterator[str]:
        return iter(self._make)

    def __len__(self) -> int:
        return len(self._make)

    def with_more(self, families: Mapping[str, Family]) -> Families:
        """The same and ``families``."""
        return Families({**self._make, **{name: partial(families.__getitem__, name) for name in families}})


@dataclass(slots=True)
class _Known:
    """What the merger knows of a series across segments."""

    key: Key
    created: float
    blocks: dict[int, int] = field(default_factory=dict)
    """Block number to the place of its counts in the sums, ascending. Replaced whole, never changed."""


def _none() -> array[int]:
    return array("q")


@dataclass(slots=True)
class _Places:
    """Where one segment has what is recorded of one metric. Once a merge has it, it is not changed."""

    words: array[int] = field(default_factory=_none)
    """In pairs: number of a series, offset of its value."""
    buckets: array[int] = field(default_factory=_none)
    """In pairs: number of a series, offset of the explicit counts, of histograms."""
    blocks: array[int] = field(default_factory=_none)
    """By slot: where its block is (`stethoscope.store.lanes.Places`)."""
    further: list[tuple[int, slice]] = field(default_factory=list)
    """Slot and place of blocks that come second, or in the wide form."""

    def copy(self) -> _Places:
        return _Places(self.words[:], self.buckets[:], self.blocks[:], self.further[:])

    def add_block(self, slot: int, offset: int) -> None:
        self.blocks.extend([NOWHERE] * (slot + 1 - len(self.blocks)))
        if self.blocks[slot] == NOWHERE:
            self.blocks[slot] = offset
        else:
            self.further.append((slot, slice(offset, offset + BLOCK_BYTES)))


class _Table:
    """What the merger knows of a metric across segments."""

    def __init__(self, metric: Metric, precedence: _Precedence) -> None:
        self.metric = metric
        self.precedence = precedence
        """Of the segment that has defined it."""
        self.known: list[_Known] = []
        self.slots = 0
        self._numbers: dict[Key, int] = {}
        self._order: list[int] = []

    def number(self, entry: SeriesEntry, pid: int | str) -> int:
        """The series' number in this table."""
        metric, key = self.metric, entry.key
        pid = pid if metric.merge in PER_WORKER and metric.kind is Kind.GAUGE else 0
        key = Key(metric, key.labels, key.overflow, pid)
        number = self._numbers.setdefault(key, len(self.known))
        if number == len(self.known):
            self.known.append(_Known(key, entry.created))
        self.known[number].created = min(self.known[number].created, entry.created)
        return number

    def slot(self, series: int, block: int) -> int:
        """The place of a block's counts in the sums, in blocks."""
        blocks = self.known[series].blocks
        if block not in blocks:
            first = self.slots * CELLS_PER_BLOCK
            self.known[series].blocks = blocks = dict(sorted([*blocks.items(), (block, first)]))
            self.slots += 1
        return blocks[block] // CELLS_PER_BLOCK

    def in_order(self) -> list[int]:
        """Numbers of series by labels. Sorted again only when there are more than before."""
        if len(self._order) != len(self.known):
            self._order = sorted(range(len(self.known)), key=self._rank)
        return self._order

    def _rank(self, number: int) -> tuple[bool, tuple[str, ...], tuple[int, str]]:
        key = self.known[number].key
        return key.overflow, key.labels, worker_rank(key.pid)


class _Plan:
    """Where each series and block of one segment goes in the merger's tables, as far as its index was read."""

    def __init__(self, worker: int | str) -> None:
        self.worker = worker
        """What tells its writer from the others."""
        self.series: list[tuple[_Table, int] | None] = []
        """By ordinal; None for those whose metric is defined otherwise."""
        self.places: dict[str, _Places] = {}
        self._blocks_seen = 0
        self._wide_seen = 0

    def extend(self, contents: Contents, table_of: Callable[[Metric], _Table | None]) -> None:
        """Look at the records that were published since the last time."""
        index = contents.index
        seen = (len(self.series), self._blocks_seen, self._wide_seen)
        if seen == (len(index.series), len(index.blocks), len(index.wide)):
            return
        self.places = {name: places.copy() for name, places in self.places.items()}
        for entry in index.series[len(self.series) :]:
            table = table_of(entry.key.metric)
            self.series.append(None if table is None else (table, self._add_series(table, entry)))
        for series, block, offset in index.blocks[self._blocks_seen :]:
            if (place := self.series[series]) is not None:
                slot = place[0].slot(place[1], block)
                self._of(place[0]).add_block(slot, offset)
        for series, block, offset in index.wide[self._wide_seen :]:
            if (place := self.series[series]) is not None:
                slot = place[0].slot(place[1], block)
                self._of(place[0]).further.append((slot, slice(offset, offset + WIDE_BYTES)))
        self._blocks_seen, self._wide_seen = len(index.blocks), len(index.wide)

    def _of(self, table: _Table) -> _Places:
        return self.places.setdefault(table.metric.name, _Places())

    def _add_series(self, table: _Table, entry: SeriesEntry) -> int:
        number, places = table.number(entry, self.worker), self._of(table)
        places.words.extend((number, 8 * entry.word))
        if table.metric.kind is Kind.HISTOGRAM:
            places.buckets.extend((number, 8 * (entry.word + SCALAR_WORDS)))
        return number


_Precedence = tuple[bool, tuple[bool, float]]
_Placed = list[tuple[Part, _Places]]
"""The segments that have anything of a metric, and where."""
_Rounded = Callable[[float, float], float]


class Merger:
    """Merges the segments of one service again and again. For one thread at a time; what it returns is for any."""

    def __init__(self, rounded: _Rounded = add, definitions: Mapping[str, Metric] | None = None) -> None:
        """``rounded`` makes one number of a sum and of what rounding took from it.

        ``definitions`` hold by the metric's name, whatever segments say.
        """
        self._rounded = rounded
        self._definitions = definitions or {}
        self._order: list[bytes] = []
        """Identities of the last segments, by precedence."""
        self._start_over()
        self._lock = ReentrantLock()
        """Held while tables change, and while a family is made of them: both may be in different threads."""

    def merge(self, parts: Sequence[Part], pause: Callable[[], None] = lambda: None) -> tuple[Families, int]:
        """Families by name, and the number of series left out because their metric is defined otherwise.

        Where definitions of a metric differ, that of the youngest living worker holds, or else of the youngest: after a deploy
        the new one. ``pause`` is called now and then, to let other threads run.
        """
        parts = sorted(parts, key=_precedence, reverse=True)
        workers = worker_ids(parts)
        with self._lock:
            plans = self._plans_of(parts, workers)
            placed: dict[str, _Placed] = {name: [] for name in self._tables}
            for part, plan in zip(parts, plans, strict=True):
                for name, places in plan.places.items():
                    placed[name].append((part, places))
            make: dict[str, Callable[[], Family]] = {}
            for name, table in self._tables.items():
                if table.metric.kind is not Kind.GAUGE:
                    make[name] = partial(self._family, table, placed[name], pause)
                elif gauges := _gauges(table, placed[name]):
                    make[name] = partial(_itself, Family(table.metric, gauges))
        return Families(make), sum(plan.series.count(None) for plan in plans)

    def created(self) -> float | None:
        """The Unix time at which the oldest series was made; None without any."""
        return min((known.created for table in self._tables.values() for known in table.known), default=None)

    def _start_over(self) -> None:
        self._plans: WeakKeyDictionary[Index, _Plan] = WeakKeyDictionary()
        self._tables: dict[str, _Table] = {}
        self._outdated = False
        """Whether a segment defines a metric otherwise than one whose definition should not hold any more."""

    def _plans_of(self, parts: Sequence[Part], workers: Mapping[bytes, int | str]) -> list[_Plan]:
        """Plans for parts that come by precedence. All readers agree on the definitions, however long they have been reading."""
        order, before = [part.contents.identity for part in parts], self._order
        self._order = order
        plans = [self._plan(part, workers.get(part.contents.identity)) for part in parts]
        if self._outdated or (before and before != order and any(None in plan.series for plan in plans)):
            self._start_over()
            plans = [self._plan(part, workers.get(part.contents.identity)) for part in parts]
        return plans

    def _plan(self, part: Part, worker: int | str | None) -> _Plan:
        contents = part.contents
        plan = self._plans.get(contents.index)
        if plan is None or worker not in (None, plan.worker):
            plan = self._plans[contents.index] = _Plan(contents.pid if worker is None else worker)
        plan.extend(contents, partial(self._table, _precedence(part)))
        return plan

    def _table(self, precedence: _Precedence, metric: Metric) -> _Table | None:
        table = self._tables.get(metric.name)
        if table is None:
            table = self._tables[metric.name] = _Table(self._definitions.get(metric.name, metric), precedence)
        if table.metric is metric or _same(table.metric, metric):
            return table
        self._outdated |= precedence > table.precedence and metric.name not in self._definitions
        return None

    def _family(self, table: _Table, placed: _Placed, pause: Callable[[], None]) -> Family:
        with self._lock:
            make = _histograms if table.metric.kind is Kind.HISTOGRAM else _counters
            return Family(table.metric, tuple(make(table, placed, self._rounded, pause)))


def _itself(family: Family) -> Family:
    return family


def _counters(table: _Table, placed: _Placed, rounded: _Rounded, pause: Callable[[], None]) -> Iterator[Series]:
    values = _sums(table, placed, rounded)
    pause()
    for number in table.in_order():
        known = table.known[number]
        yield Series(known.key.labels, values[number], known.created, known.key.overflow, known.key.pid)


def _sums(table: _Table, placed: _Placed, rounded: _Rounded) -> list[float]:
    """Rounded once, and so the same whichever segment comes first: that changes when writers end, and no sum may become less."""
    sums = array("d", bytes(16 * len(table.known)))
    for part, places in placed:
        add_words(sums, part.contents.data, places.words, 1)
    return list(map(rounded, sums[::2], sums[1::2]))


def _histograms(table: _Table, placed: _Placed, rounded: _Rounded, pause: Callable[[], None]) -> Iterator[Series]:
    width = len(table.metric.bounds) + 1
    size, scheme = 8 * width, buckets_for(table.metric)
    values, sums, counts = _sums(table, placed, rounded), bytearray(size * len(table.known)), LateCounts(table.slots)
    for part, places in placed:
        add_buckets(sums, part.contents.data, places.buckets, width)
        counts.expect(part.contents.data, places.blocks, places.further)
        pause()
    buckets = bytes(sums)
    for number in table.in_order():
        known, first = table.known[number], number * size
        distribution = BlockDistribution(scheme, buckets[first : first + size], counts, known.blocks, values[number])
        yield Series(known.key.labels, distribution, known.created, known.key.overflow)


def _gauges(table: _Table, placed: _Placed) -> tuple[Series, ...]:
    merge, now = table.metric.merge, time.time()
    found: dict[int, tuple[float, float]] = {}
    for part, places in placed:
        if part.alive or merge not in LIVE_ONLY:
            words = part.contents.words()
            for series, place in zip(places.words[::2], places.words[1::2], strict=True):
                here = (words[place // 8], words[place // 8 + 1])
                if not part.alive:
                    # The clock may have been ahead, and set right since then.
                    here = (here[0], min(here[1], now))
                    if math.isnan(here[0]) and merge is not Merge.MOSTRECENT:
                        continue  # nobody could ever make it a number again
                found[series] = _merged_gauge(merge, found[series], here) if series in found else here
    return tuple(_gauge(table.known[number], *found[number]) for number in table.in_order() if number in found)


def _gauge(known: _Known, value: float, stamp: float) -> Series:
    return Series(known.key.labels, value, known.created, known.key.overflow, known.key.pid, stamp)


def _same(one: Metric, other: Metric) -> bool:
    """Whether two definitions of a metric can be added up: all but the texts for people is equal."""
    return (one.kind, one.labels, one.unit, one.bounds, one.merge) == (
        other.kind,
        other.labels,
        other.unit,
        other.bounds,
        other.merge,
    )


def _merged_gauge(merge: Merge, one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Two workers' values, each with the time at which it was set."""
    if merge in (Merge.SUM, Merge.LIVESUM):
        return one[0] + other[0], max(one[1], other[1])
    if merge in (Merge.MIN, Merge.LIVEMIN):
        return min(one, other)
    if merge in (Merge.MAX, Merge.LIVEMAX):
        return max(one, other)
    return max(one, other, key=lambda pair: pair[1])
