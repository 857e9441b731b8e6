"""What consumers read: one immutable, merged view of every worker of a service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import accumulate, chain
from operator import add, sub
from typing import Final, NamedTuple, TypeVar, cast

from stethoscope.names import Kind, Metric
from stethoscope.store import lanes
from stethoscope.store.buckets import CELLS_PER_BLOCK, Blocks, Buckets, Cells
from stethoscope.store.lanes import Lanes
from stethoscope.store.layout import BLOCK_BYTES
from stethoscope.store.lazy import lazy

T = TypeVar("T")

Packed = Mapping[int, int]
"""The 64 counts of each block as one integer of 32 bits a count, the first lowest, none with its highest bit set; by the block's number, ascending."""

_HIGHEST_BITS: Final = int.from_bytes(b"\x00\x00\x00\x80" * CELLS_PER_BLOCK, "little")


class Distribution:
    """A merged histogram. Immutable; its count is by construction the sum of its explicit buckets.

    ``sum`` is in the metric's base unit. A worker that records while it is being read may be seen
    with an observation's bucket but not yet its sum, or the other way round: the sum can be off by
    the observations in flight, never the count against the buckets.
    """

    def __init__(self, buckets: Buckets, cells: Cells, sum: float) -> None:
        self.buckets = buckets
        self.cells = cells
        self.sum = sum

    @lazy
    def cumulative(self) -> tuple[int, ...]:
        """Counts at or below each explicit bound, and the count of all last."""
        return self.buckets.explicit_counts(self.cells)

    @property
    def count(self) -> int:
        return self.cumulative[-1]

    @property
    def mean(self) -> float:
        """Sum by count; NaN when nothing was recorded."""
        return self.sum / self.count if self.count else float("nan")

    def quantile(self, q: float) -> float:
        """The value at quantile ``q`` (0–1): at most 1 % off, relative; NaN when nothing was recorded.

        Raises ValueError when ``q`` is outside 0–1.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"quantile() takes a number from 0 to 1, got {q!r}; for the 95th percentile pass 0.95")
        return self.quantiles(q)[0]

    def quantiles(self, *qs: float) -> list[float]:
        """The values at several quantiles (0–1) for the price of one; each as `quantile` has it."""
        more, less = self.apart()
        quickly = lanes.quantiles([one.lanes() for one in more], [one.lanes() for one in less], qs, self.buckets.edges)
        return self._quantiles(qs) if quickly is None else quickly

    def _quantiles(self, qs: Sequence[float]) -> list[float]:
        packed = self.packed()
        if packed is not None:
            counts = b"".join([block.to_bytes(BLOCK_BYTES, "little") for block in packed.values()])
            return self.buckets.quantiles(qs, packed, memoryview(counts).cast("I"))
        blocks = self.blocks()
        return self.buckets.quantiles(qs, blocks, chain.from_iterable(blocks.values()))

    def above(self, value: float) -> int:
        """How many were more than ``value``, which is taken at most 1 % too high."""
        block, place = divmod(self.buckets.cell(value), CELLS_PER_BLOCK)
        return sum(
            sum(counts[place + 1 :] if number == block else counts)
            for number, counts in self.blocks().items()
            if number >= block
        )

    def blocks(self) -> Blocks:
        """The counts of the cells by block, ascending; blocks without any may be left out."""
        found: dict[int, list[int]] = {}
        for cell, count in self.cells.items():
            block, place = divmod(cell, CELLS_PER_BLOCK)
            found.setdefault(block, [0] * CELLS_PER_BLOCK)[place] = count
        return dict(sorted(found.items()))

    def packed(self) -> Packed | None:
        """The same, each block as one integer with 32 bits a count; None where a count has 32 bits itself, or nobody has packed them."""
        return None

    def lanes(self) -> Lanes | None:
        """The counts as they were added up; None where one has 32 bits, or nobody has added them up."""
        return None

    def explicit(self) -> bytes | None:
        """The explicit buckets in 64 bits for each; None where nobody has added them up."""
        return None

    def apart(self) -> tuple[list[Distribution], list[Distribution]]:
        """What this is made of: the sum of the first without that of the second."""
        more: list[Distribution] = []
        less: list[Distribution] = []
        self._take_apart(more, less)
        return more, less

    def _take_apart(self, more: list[Distribution], less: list[Distribution]) -> None:
        more.append(self)

    def minus(self, earlier: Distribution) -> Distribution:
        """What was recorded since ``earlier``, an older state of the same series."""
        return _Since(self, earlier)

    def plus(self, other: Distribution) -> Distribution:
        """Both together: for summing series of one metric, say over status codes."""
        return together(self.buckets, (self, other))


class _Reckoned(Distribution):
    """A distribution that is made of others, as far as somebody asks for it."""

    @lazy
    def cumulative(self) -> tuple[int, ...]:
        more, less = self.apart()
        width = len(self.buckets.explicit) + 1
        quickly = lanes.cumulative([one.explicit() for one in more], [one.explicit() for one in less], width)
        return self._cumulative() if quickly is None else quickly

    def _cumulative(self) -> tuple[int, ...]:
        raise NotImplementedError

    @lazy
    def _packed(self) -> Packed | None:
        raise NotImplementedError

    def _reckon(self) -> Blocks:
        """Count by count, where they are not packed."""
        raise NotImplementedError

    def packed(self) -> Packed | None:
        return self._packed

    @lazy
    def _blocks(self) -> Blocks:
        packed = self._packed
        if packed is None:
            return self._reckon()
        return {
            block: memoryview(counts.to_bytes(BLOCK_BYTES, "little")).cast("I").tolist()
            for block, counts in packed.items()
        }

    def blocks(self) -> Blocks:
        return self._blocks

    @lazy
    def cells(self) -> dict[int, int]:  # type: ignore[override]
        return {
            block * CELLS_PER_BLOCK + place: count
            for block, counts in self.blocks().items()
            for place, count in enumerate(counts)
            if count
        }


class _Since(_Reckoned):
    """What was recorded from one state of a series to a later one."""

    def __init__(self, now: Distribution, then: Distribution) -> None:
        self.buckets = now.buckets
        self.sum = max(0.0, now.sum - then.sum)
        self.now = now
        self.then = then

    def _take_apart(self, more: list[Distribution], less: list[Distribution]) -> None:
        self.now._take_apart(more, less)
        self.then._take_apart(less, more)

    def _cumulative(self) -> tuple[int, ...]:
        less = [max(0, now - then) for now, then in zip(self.now.cumulative, self.then.cumulative, strict=True)]
        return tuple(accumulate(less, max))

    @lazy
    def _packed(self) -> Packed | None:
        now, then = self.now.packed(), self.then.packed()
        return None if now is None or then is None else _packed_less(now, then)

    def _reckon(self) -> Blocks:
        return _less(self.now.blocks(), self.then.blocks())


class _Together(_Reckoned):
    """The sum of several series."""

    def __init__(self, buckets: Buckets, parts: Sequence[Distribution]) -> None:
        self.buckets = buckets
        self.sum = sum(part.sum for part in parts)
        self._parts = parts

    def _take_apart(self, more: list[Distribution], less: list[Distribution]) -> None:
        for part in self._parts:
            part._take_apart(more, less)

    def _cumulative(self) -> tuple[int, ...]:
        nothing = (0,) * (len(self.buckets.explicit) + 1)
        return tuple(map(sum, zip(nothing, *(part.cumulative for part in self._parts), strict=True)))

    @lazy
    def _packed(self) -> Packed | None:
        return _packed_sum(part.packed() for part in self._parts)

    def _reckon(self) -> Blocks:
        return _all(part.blocks() for part in self._parts)


def _packed_less(packed: Packed, earlier: Packed) -> Packed | None:
    """None where a count would be negative, which no later state has unless something is damaged."""
    found: dict[int, int] = {}
    for block, counts in packed.items():
        before = earlier.get(block, 0)
        if counts != before:
            less = (counts | _HIGHEST_BITS) - before  # borrows end at the bit that is set above each count
            if less & _HIGHEST_BITS != _HIGHEST_BITS:
                return None
            found[block] = less ^ _HIGHEST_BITS
    return found


def _packed_sum(parts: Iterable[Packed | None]) -> Packed | None:
    found: dict[int, int] = {}
    for packed in parts:
        if packed is None:
            return None
        for block, counts in packed.items():
            found[block] = together = found.get(block, 0) + counts
            if together & _HIGHEST_BITS:
                return None
    return dict(sorted(found.items()))


def _less(blocks: Blocks, earlier: Blocks) -> Blocks:
    found: dict[int, Sequence[int]] = {}
    for block, counts in blocks.items():
        before = earlier.get(block)
        if before is None:
            found[block] = counts
        elif counts != before:
            found[block] = [max(0, count) for count in map(sub, counts, before)]
    return found


def together(buckets: Buckets, distributions: Iterable[Distribution]) -> Distribution:
    """The sum of any number of series of one metric, whose scheme is ``buckets``."""
    parts = list(distributions)
    if len(parts) == 1:
        return parts[0]
    windows = [part for part in parts if isinstance(part, _Since)]
    if not windows or len(windows) < len(parts):
        return _Together(buckets, parts)
    # The same as the sum of all differences, with one subtraction.
    now = _Together(buckets, [part.now for part in windows])
    return _Since(now, _Together(buckets, [part.then for part in windows]))


def _all(parts: Iterable[Blocks]) -> Blocks:
    found: dict[int, Sequence[int]] = {}
    for blocks in parts:
        for block, counts in blocks.items():
            known = found.get(block)
            found[block] = counts if known is None else list(map(add, known, counts))
    return dict(sorted(found.items()))


class Exemplar(NamedTuple):
    """One observation, in base units, and the trace and span that it was made in. ``stamp`` is Unix time."""

    value: float
    trace_id: int
    span_id: int
    stamp: float


@dataclass(frozen=True, slots=True)
class Series:
    """One label set of a metric. ``labels`` are values in the order of ``Metric.labels``.

    ``value`` is a number for counters and gauges, a `Distribution` for histograms. ``created`` is the
    Unix time in seconds at which the first worker made the series. ``overflow`` marks the one series
    that holds what the cap on series refused; its label values are all empty.
    ``pid`` tells workers apart for gauges that are not merged (`Merge.ALL`), else it is 0.
    ``stamp`` is the Unix time at which a gauge was last set, 0.0 for all else. ``exemplars`` are of a histogram, by the
    number of the explicit bucket; only where they were asked for (`stethoscope.store.exemplars`).
    """

    labels: tuple[str, ...]
    value: float | Distribution
    created: float
    overflow: bool = False
    pid: int = 0
    stamp: float = 0.0
    exemplars: Mapping[int, Exemplar] | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with its series, sorted by label values."""

    metric: Metric
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a service has recorded on this host, at one moment. Immutable, safe in any thread.

    ``taken_at`` is Unix time in seconds; ``families`` are by metric name, sorted.
    ``workers`` are the process ids of living workers. ``seconds`` is the length of the window that
    the numbers cover, or None when they count from the beginning. ``created`` is the Unix time at which the oldest
    series was made, None where that is not known.
    """

    service: str
    taken_at: float
    families: Mapping[str, Family]
    workers: tuple[int, ...] = ()
    seconds: float | None = None
    created: float | None = None
    _known: dict[object, object] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, work_out: Callable[[Snapshot], T]) -> T:
        """What ``work_out`` makes of this snapshot, made once for all who ask. Any thread."""
        if work_out not in self._known:
            self._known[work_out] = work_out(self)
        return cast("T", self._known[work_out])

    def beginning(self) -> float:
        """When the oldest series was made; ``taken_at``, where there is none. Unix time."""
        if self.created is not None:
            return self.created
        created = [one.created for family in self.families.values() for one in family.series if one.created]
        return min(created, default=self.taken_at)

    def minus(self, earlier: Snapshot, seconds: float) -> Snapshot:
        """What was recorded since ``earlier``, ``seconds`` ago. Gauges stay as they are now."""
        return replace(self, families=_Difference(self.families, earlier.families), seconds=seconds)

    def family(self, metric: Metric) -> Family:
        """The metric's family; one without series when nothing was recorded."""
        return self.families.get(metric.name) or Family(metric, ())


class _Difference(Mapping[str, Family]):
    """Families less those of an earlier state, each subtracted when it is asked for: readers want few of them."""

    def __init__(self, families: Mapping[str, Family], earlier: Mapping[str, Family]) -> None:
        self._families = families
        self._earlier = earlier
        self._known: dict[str, Family] = {}

    def __getitem__(self, name: str) -> Family:
        if name not in self._known:
            self._known[name] = _family_minus(self._families[name], self._earlier.get(name))
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._families)

    def __len__(self) -> int:
        return len(self._families)


def _family_minus(family: Family, earlier: Family | None) -> Family:
    if earlier is None or family.metric.kind is Kind.GAUGE or _defined_otherwise(family.metric, earlier.metric):
        return family
    before = {(one.labels, one.overflow): one.value for one in earlier.series}
    series = [_series_minus(one, before.pop((one.labels, one.overflow), None)) for one in family.series]
    # What is there no more has moved into the overflow series, with all that it had counted before.
    return Family(
        family.metric, tuple(reduce(_series_minus, before.values(), one) if one.overflow else one for one in series)
    )


def _defined_otherwise(one: Metric, other: Metric) -> bool:
    return (one.kind, one.labels, one.unit, one.bounds) != (other.kind, other.labels, other.unit, other.bounds)


def _series_minus(series: Series, before: float | Distribution | None) -> Series:
    value = series.value
    less: float | Distribution | None = None
    if isinstance(value, Distribution):
        less = value.minus(before) if isinstance(before, Distribution) else None
    elif isinstance(before, float):
        less = max(0.0, value - before)
    if less is None:
        return series
    # Field by field: `dataclasses.replace` takes longer than all the rest.
    return Series(series.labels, less, series.created, series.overflow, series.pid, series.stamp, series.exemplars)
