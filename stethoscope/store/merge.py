"""Many segments become one view: sums for counters and histograms, each gauge by its own rule.

Adding up is done on whole blocks of counts as wide integers (see `stethoscope.store.lanes`), with
places that are looked up once per segment and remembered, because between two scrapes the live
numbers of a segment change but its records do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from struct import Struct
from weakref import WeakKeyDictionary

from stethoscope.names import PER_WORKER, Kind, Merge, Metric
from stethoscope.store.buckets import CELLS_PER_BLOCK, Buckets, buckets_for, cells_in_block
from stethoscope.store.lanes import LateCounts
from stethoscope.store.layout import BLOCK_BYTES, SCALAR_WORDS, WIDE_BYTES
from stethoscope.store.reader import Contents, Index, Key, SeriesEntry
from stethoscope.store.snapshot import Distribution, Family, Series

LIVE_ONLY = frozenset(mode for mode in Merge if mode.startswith("live")) | {Merge.ALL}


@dataclass(frozen=True, slots=True)
class Part:
    """One segment's contents, and whether its writer lives."""

    contents: Contents
    alive: bool


class BlockDistribution(Distribution):
    """A distribution kept as its explicit buckets, and as blocks that are added up only when cells are asked for."""

    def __init__(
        self, buckets: Buckets, cumulative: tuple[int, ...], counts: LateCounts, blocks: Mapping[int, int], sum: float
    ) -> None:
        """``blocks`` gives for each block's number where in ``counts`` it begins."""
        self.buckets = buckets
        self.cumulative = cumulative
        self.sum = sum
        self._counts = counts
        self._blocks = blocks

    def blocks(self) -> dict[int, list[int]]:
        counts = self._counts.get()
        return {block: counts[first : first + CELLS_PER_BLOCK] for block, first in self._blocks.items()}

    @cached_property
    def cells(self) -> dict[int, int]:  # type: ignore[override]
        return {cell: count for block, counts in self.blocks().items() for cell, count in cells_in_block(block, counts)}


@dataclass(slots=True)
class _Known:
    """What the merger knows of a series across segments."""

    key: Key
    created: float
    blocks: dict[int, int] = field(default_factory=dict)
    """Block number to the place of its counts in the sums, ascending."""


@dataclass(slots=True)
class _Plan:
    """Where each series and block of one segment goes in the merger's tables, as far as its index was read."""

    series: list[int] = field(default_factory=list)
    sums: list[tuple[int, int]] = field(default_factory=list)
    """Series and word, of counters and histograms."""
    buckets: list[tuple[int, slice]] = field(default_factory=list)
    """Series and place of the explicit counts, of histograms."""
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
        self._order: list[tuple[Metric, list[int]]] = []
        self._ordered = 0

    def merge(self, parts: Sequence[Part], pause: Callable[[], None] = lambda: None) -> tuple[dict[str, Family], int]:
        """Families by name, and the number of series left out because their metric is defined otherwise.

        Where definitions of a metric differ, that of the youngest worker holds: after a deploy the new
        one. ``pause`` is called now and then, to let other threads run.
        """
        parts = sorted(parts, key=lambda part: part.contents.age_rank, reverse=True)
        plans = [self._plan(part) for part in parts]
        values = [0.0] * len(self._known)
        buckets = [0] * len(self._known)
        gauges: dict[int, tuple[float, float]] = {}
        counts = LateCounts(self._slots)
        for part, plan in zip(parts, plans, strict=True):
            self._add_scalars(part, plan, values, gauges)
            pause()
            data = part.contents.data
            for series, place in plan.buckets:
                # All explicit counts of a series at once: 64 bits for each, which no sum overflows.
                buckets[series] += int.from_bytes(data[place], "little")
            counts.expect(data, plan.places, plan.further)
            pause()
        return self._families(values, buckets, gauges, counts), sum(plan.series.count(-1) for plan in plans)

    def _plan(self, part: Part) -> _Plan:
        """Where the part's records go. Only those published since the last time are looked at."""
        index = part.contents.index
        plan = self._plans.setdefault(index, _Plan())
        for entry in index.series[len(plan.series) :]:
            number = self._number(entry, part.contents.pid)
            plan.series.append(number)
            if number >= 0:
                (plan.gauges if entry.key.metric.kind is Kind.GAUGE else plan.sums).append((number, entry.word))
            if number >= 0 and entry.key.metric.kind is Kind.HISTOGRAM:
                first = 8 * (entry.word + SCALAR_WORDS)
                plan.buckets.append((number, slice(first, first + 8 * (len(entry.key.metric.bounds) + 1))))
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
        pid = pid if metric.merge in PER_WORKER and metric.kind is Kind.GAUGE else 0
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
            first = self._slots * CELLS_PER_BLOCK
            self._known[series].blocks = blocks = dict(sorted([*blocks.items(), (block, first)]))
            self._slots += 1
        return blocks[block] // CELLS_PER_BLOCK

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
        self, values: list[float], buckets: list[int], gauges: dict[int, tuple[float, float]], counts: LateCounts
    ) -> dict[str, Family]:
        families = {}
        for metric, numbers in self._in_order():
            if metric.kind is Kind.HISTOGRAM:
                series = self._histograms(metric, numbers, values, buckets, counts)
            elif metric.kind is Kind.GAUGE:
                series = self._scalars([number for number in numbers if number in gauges], gauges)
            else:
                series = self._scalars(numbers, {number: (values[number], 0.0) for number in numbers})
            if series:
                families[metric.name] = Family(metric, tuple(series))
        return families

    def _histograms(
        self, metric: Metric, numbers: list[int], values: list[float], buckets: list[int], counts: LateCounts
    ) -> list[Series]:
        scheme, explicit = buckets_for(metric), Struct(f"<{len(metric.bounds) + 1}Q")
        all_bits = (1 << 8 * explicit.size) - 1  # damaged counts may add up to more
        series = []
        for number in numbers:
            known = self._known[number]
            counts_of_all = (buckets[number] & all_bits).to_bytes(explicit.size, "little")
            cumulative = tuple(accumulate(explicit.unpack(counts_of_all)))
            distribution = BlockDistribution(scheme, cumulative, counts, known.blocks, values[number])
            series.append(Series(known.key.labels, distribution, known.created, known.key.overflow))
        return series

    def _scalars(self, numbers: list[int], values: Mapping[int, tuple[float, float]]) -> list[Series]:
        series = []
        for number in numbers:
            known, (value, stamp) = self._known[number], values[number]
            key = known.key
            series.append(Series(key.labels, value, known.created, key.overflow, key.pid, stamp))
        return series

    def _in_order(self) -> list[tuple[Metric, list[int]]]:
        """Metrics by name, each with its series by labels. Sorted anew only when there are more series than before."""
        if self._ordered != len(self._known):
            by_metric: dict[str, list[int]] = {}
            for number, known in enumerate(self._known):
                by_metric.setdefault(known.key.metric.name, []).append(number)
            for numbers in by_metric.values():
                numbers.sort(key=self._rank)
            self._order = [(self._metrics[name], by_metric[name]) for name in sorted(by_metric)]
            self._ordered = len(self._known)
        return self._order

    def _rank(self, number: int) -> tuple[bool, tuple[str, ...], int]:
        key = self._known[number].key
        return key.overflow, key.labels, key.pid


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
