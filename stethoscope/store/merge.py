"""Many segments become one view: sums for counters and histograms, each gauge by its own rule.

Adding up is done on whole blocks of counts as wide integers (see `stethoscope.store.lanes`), with
places that are looked up once per segment and remembered, because between two scrapes the live
numbers of a segment change but its records do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from weakref import WeakKeyDictionary

from stethoscope.names import Kind, Merge, Metric
from stethoscope.store.buckets import CELLS_PER_BLOCK, Buckets, buckets_for, cells_in_block
from stethoscope.store.lanes import BlockSums
from stethoscope.store.layout import BLOCK_BYTES, WIDE_BYTES
from stethoscope.store.reader import Contents, Index, Key, SeriesEntry
from stethoscope.store.snapshot import Distribution, Family, Series

_UNMERGED = (Merge.ALL, Merge.LIVEALL)
LIVE_ONLY = frozenset(mode for mode in Merge if mode.startswith("live")) | {Merge.ALL}


@dataclass(frozen=True, slots=True)
class Part:
    """One segment's contents, and whether its writer lives."""

    contents: Contents
    alive: bool


class BlockDistribution(Distribution):
    """A distribution kept as blocks within the counts of a whole merge; cells are spelled out only when asked for."""

    def __init__(self, buckets: Buckets, counts: list[int], blocks: Mapping[int, int], sum: float) -> None:
        self.buckets = buckets
        self.sum = sum
        self._counts = counts
        self._slots = blocks

    @property
    def blocks(self) -> Iterable[int]:
        """Numbers of the blocks that have counts, ascending."""
        return self._slots

    def counts(self, block: int) -> list[int]:
        """The 64 counts of one block."""
        first = self._slots[block] * CELLS_PER_BLOCK
        return self._counts[first : first + CELLS_PER_BLOCK]

    @cached_property
    def cells(self) -> dict[int, int]:  # type: ignore[override]
        return {cell: count for block in self._slots for cell, count in cells_in_block(block, self.counts(block))}

    @cached_property
    def cumulative(self) -> tuple[int, ...]:
        return self.buckets.explicit_counts_of_blocks((block, self.counts(block)) for block in self._slots)


@dataclass(slots=True)
class _Known:
    """What the merger knows of a series across segments."""

    key: Key
    created: float
    blocks: dict[int, int] = field(default_factory=dict)
    """Block number to slot, ascending."""


@dataclass(slots=True)
class _Plan:
    """Where each series and block of one segment goes in the merger's tables, as far as its index was read."""

    series: list[int] = field(default_factory=list)
    sums: list[tuple[int, int]] = field(default_factory=list)
    """Series and word, of counters and histograms."""
    gauges: list[tuple[int, int]] = field(default_factory=list)
    places: list[slice | None] = field(default_factory=list)
    """By slot: where its block is."""
    further: list[tuple[int, slice]] = field(default_factory=list)
    """Slot and place of blocks that come second, or in the wide form."""
    blocks_seen: int = 0
    wide_seen: int = 0


class Merger:
    """Merges again and again the segments of one service. For one thread at a time."""

    def __init__(self) -> None:
        self._plans: WeakKeyDictionary[Index, _Plan] = WeakKeyDictionary()
        self._metrics: dict[str, Metric] = {}
        self._numbers: dict[Key, int] = {}
        self._known: list[_Known] = []
        self._slots = 0

    def merge(self, parts: Sequence[Part], pause: Callable[[], None] = lambda: None) -> tuple[dict[str, Family], int]:
        """Families by name, and the number of series left out because their metric is defined otherwise.

        ``pause`` is called now and then, to let other threads run.
        """
        plans = [self._plan(part) for part in parts]
        sums = BlockSums(self._slots)
        values = [0.0] * len(self._known)
        gauges: dict[int, tuple[float, float]] = {}
        for part, plan in zip(parts, plans, strict=True):
            pause()
            self._add_scalars(part, plan, values, gauges)
            plan.places.extend([None] * (self._slots - len(plan.places)))
            sums.add(part.contents.data, plan.places, pause)
            for slot, place in plan.further:
                sums.add_block(slot, part.contents.data[place])
        pause()
        return self._families(values, gauges, sums.counts()), sum(plan.series.count(-1) for plan in plans)

    def _plan(self, part: Part) -> _Plan:
        """Where the part's records go. Only those published since the last time are looked at."""
        index = part.contents.index
        plan = self._plans.setdefault(index, _Plan())
        for entry in index.series[len(plan.series) :]:
            number = self._number(entry, part.contents.pid)
            plan.series.append(number)
            if number >= 0:
                (plan.gauges if entry.key.metric.kind is Kind.GAUGE else plan.sums).append((number, entry.word))
        for series, block, offset in index.blocks[plan.blocks_seen :]:
            self._place(plan, plan.series[series], block, slice(offset, offset + BLOCK_BYTES))
        for series, block, offset in index.wide[plan.wide_seen :]:
            if plan.series[series] >= 0:
                plan.further.append((self._slot(plan.series[series], block), slice(offset, offset + WIDE_BYTES)))
        plan.blocks_seen, plan.wide_seen = len(index.blocks), len(index.wide)
        return plan

    def _number(self, entry: SeriesEntry, pid: int) -> int:
        key = entry.key
        metric = self._metrics.setdefault(key.metric.name, key.metric)
        if metric is not key.metric and not _same(metric, key.metric):
            return -1
        pid = pid if metric.merge in _UNMERGED and metric.kind is Kind.GAUGE else 0
        key = Key(metric, key.labels, key.overflow, pid)
        number = self._numbers.setdefault(key, len(self._known))
        if number == len(self._known):
            self._known.append(_Known(key, entry.created))
        self._known[number].created = min(self._known[number].created, entry.created)
        return number

    def _place(self, plan: _Plan, series: int, block: int, place: slice) -> None:
        if series < 0:
            return
        slot = self._slot(series, block)
        plan.places.extend([None] * (slot + 1 - len(plan.places)))
        if plan.places[slot] is None:
            plan.places[slot] = place
        else:
            plan.further.append((slot, place))

    def _slot(self, series: int, block: int) -> int:
        blocks = self._known[series].blocks
        if block not in blocks:
            self._known[series].blocks = blocks = dict(sorted([*blocks.items(), (block, self._slots)]))
            self._slots += 1
        return blocks[block]

    def _add_scalars(
        self, part: Part, plan: _Plan, values: list[float], gauges: dict[int, tuple[float, float]]
    ) -> None:
        words = part.contents.words()
        for series, word in plan.sums:
            values[series] += words[word]
        for series, word in plan.gauges:
            merge = self._known[series].key.metric.merge
            if part.alive or merge not in LIVE_ONLY:
                here = (words[word], words[word + 1])
                gauges[series] = _merged_gauge(merge, gauges[series], here) if series in gauges else here

    def _families(
        self, values: list[float], gauges: dict[int, tuple[float, float]], counts: list[int]
    ) -> dict[str, Family]:
        families: dict[str, list[Series]] = {}
        for number, known in enumerate(self._known):
            key = known.key
            value: float | Distribution = values[number]
            stamp = 0.0
            if key.metric.kind is Kind.HISTOGRAM:
                value = BlockDistribution(buckets_for(key.metric), counts, known.blocks, values[number])
            elif key.metric.kind is Kind.GAUGE:
                if number not in gauges:
                    continue
                value, stamp = gauges[number]
            families.setdefault(key.metric.name, []).append(
                Series(key.labels, value, known.created, key.overflow, key.pid, stamp)
            )
        return {name: _family(self._metrics[name], families[name]) for name in sorted(families)}


def _same(one: Metric, other: Metric) -> bool:
    """Whether two definitions of a metric can be added up: all but the texts for people is equal."""
    return (one.kind, one.labels, one.unit, one.bounds, one.merge) == (
        other.kind,
        other.labels,
        other.unit,
        other.bounds,
        other.merge,
    )


def _family(metric: Metric, series: Iterable[Series]) -> Family:
    return Family(metric, tuple(sorted(series, key=lambda one: (one.overflow, one.labels, one.pid))))


def _merged_gauge(merge: Merge, one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Two workers' values, each with the time at which it was set."""
    if merge in (Merge.SUM, Merge.LIVESUM):
        return one[0] + other[0], max(one[1], other[1])
    if merge in (Merge.MIN, Merge.LIVEMIN):
        return min(one, other)
    if merge in (Merge.MAX, Merge.LIVEMAX):
        return max(one, other)
    return max(one, other, key=lambda pair: pair[1])
