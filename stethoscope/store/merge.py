"""Many segments become one view: sums for counters and histograms, each gauge by its own rule.

Adding up is done on whole blocks of counts as wide integers (see `stethoscope.store.lanes`), with
places that are looked up once per segment and remembered, because between two scrapes the live
numbers of a segment change but its records do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from weakref import WeakKeyDictionary

from stethoscope.names import Kind, Merge, Metric
from stethoscope.store.buckets import Buckets, buckets_for, cells_in_block
from stethoscope.store.lanes import BlockSums, counts_of
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
    """A distribution kept as the blocks it was merged in; cells are spelled out only when asked for."""

    def __init__(self, buckets: Buckets, blocks: dict[int, int | list[int]], sum: float) -> None:
        self.buckets = buckets
        self.blocks = blocks
        self.sum = sum

    def counts(self, block: int) -> list[int]:
        """The 64 counts of one block."""
        counts = self.blocks[block]
        return counts if isinstance(counts, list) else counts_of(counts)

    @cached_property
    def cells(self) -> dict[int, int]:  # type: ignore[override]
        return {cell: count for block in self.blocks for cell, count in cells_in_block(block, self.counts(block))}

    @cached_property
    def cumulative(self) -> tuple[int, ...]:
        return self.buckets.explicit_counts_of_blocks((block, self.counts(block)) for block in self.blocks)


@dataclass(slots=True)
class _Total:
    """What has been added up for one series so far."""

    created: float
    value: float = 0.0
    stamp: float = 0.0
    seen: bool = False


@dataclass(slots=True)
class _Plan:
    """Where each series and block of one segment goes in the merger's tables."""

    series: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    wide: list[int] = field(default_factory=list)


class Merger:
    """Merges again and again the segments of one service. For one thread at a time."""

    def __init__(self) -> None:
        self._plans: WeakKeyDictionary[Index, _Plan] = WeakKeyDictionary()
        self._metrics: dict[str, Metric] = {}
        self._series: dict[Key, int] = {}
        self._blocks: dict[tuple[int, int], int] = {}

    def merge(self, parts: Sequence[Part], pause: Callable[[], None] = lambda: None) -> tuple[dict[str, Family], int]:
        """Families by name, and the number of series left out because their metric is defined otherwise.

        ``pause`` is called now and then, to let other threads run.
        """
        totals: list[_Total | None] = []
        sums = BlockSums()
        conflicts = 0
        for part in parts:
            plan, refused = self._plan(part)
            conflicts += refused
            totals.extend([None] * (len(self._series) - len(totals)))
            self._add_scalars(part, plan, totals)
            sums.extend(len(self._blocks))
            sums.add(part.contents, plan.blocks, plan.wide, pause)
            pause()
        sums.extend(len(self._blocks))
        return self._families(totals, sums), conflicts

    def _plan(self, part: Part) -> tuple[_Plan, int]:
        index = part.contents.index
        plan = self._plans.setdefault(index, _Plan())
        for entry in index.series[len(plan.series) :]:
            plan.series.append(self._series_slot(entry, part.contents.pid))
        for target, source in ((plan.blocks, index.blocks), (plan.wide, index.wide)):
            for series, block, _ in source[len(target) :]:
                target.append(self._block_slot(plan.series[series], block))
        return plan, plan.series.count(-1)

    def _series_slot(self, entry: SeriesEntry, pid: int) -> int:
        key = entry.key
        known = self._metrics.setdefault(key.metric.name, key.metric)
        if known is not key.metric and not _same(known, key.metric):
            return -1
        pid = pid if key.metric.merge in _UNMERGED and key.metric.kind is Kind.GAUGE else 0
        return self._series.setdefault(Key(known, key.labels, key.overflow, pid), len(self._series))

    def _block_slot(self, series: int, block: int) -> int:
        if series < 0:
            return -1
        return self._blocks.setdefault((series, block), len(self._blocks))

    def _add_scalars(self, part: Part, plan: _Plan, totals: list[_Total | None]) -> None:
        words = part.contents.words()
        for slot, entry in zip(plan.series, part.contents.index.series, strict=True):
            metric = entry.key.metric
            if slot < 0 or (not part.alive and metric.kind is Kind.GAUGE and metric.merge in LIVE_ONLY):
                continue
            total = totals[slot]
            if total is None:
                total = totals[slot] = _Total(entry.created)
            total.created = min(total.created, entry.created)
            if metric.kind is Kind.GAUGE:
                _add_gauge(total, metric.merge, words[entry.word], words[entry.word + 1])
            else:
                total.value += words[entry.word]

    def _families(self, totals: list[_Total | None], sums: BlockSums) -> dict[str, Family]:
        blocks: dict[int, dict[int, int | list[int]]] = {}
        for (series, block), slot in self._blocks.items():
            counts = sums[slot]
            if counts:
                blocks.setdefault(series, {})[block] = counts
        families: dict[str, list[Series]] = {}
        for (key, slot), total in zip(self._series.items(), totals, strict=False):
            if total is not None:
                value = _value(key.metric, total, blocks.get(slot, {}))
                families.setdefault(key.metric.name, []).append(Series(key.labels, value, total.created, key.overflow, key.pid, total.stamp))
        return {name: _family(self._metrics[name], families[name]) for name in sorted(families)}


def _same(one: Metric, other: Metric) -> bool:
    """Whether two definitions of a metric can be added up: all but the texts for people is equal."""
    return (one.kind, one.labels, one.unit, one.bounds, one.merge) == (other.kind, other.labels, other.unit, other.bounds, other.merge)


def _value(metric: Metric, total: _Total, blocks: dict[int, int | list[int]]) -> float | Distribution:
    if metric.kind is Kind.HISTOGRAM:
        return BlockDistribution(buckets_for(metric), blocks, total.value)
    return total.value


def _family(metric: Metric, series: Iterable[Series]) -> Family:
    return Family(metric, tuple(sorted(series, key=lambda one: (one.overflow, one.labels, one.pid))))


def _add_gauge(total: _Total, merge: Merge, value: float, stamp: float) -> None:
    if not total.seen:
        total.value, total.stamp, total.seen = value, stamp, True
    elif merge in (Merge.SUM, Merge.LIVESUM):
        total.value += value
    elif merge in (Merge.MIN, Merge.LIVEMIN):
        total.value = min(total.value, value)
    elif merge in (Merge.MAX, Merge.LIVEMAX):
        total.value = max(total.value, value)
    elif stamp > total.stamp:
        total.value, total.stamp = value, stamp


