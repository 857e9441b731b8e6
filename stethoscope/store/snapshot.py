"""What consumers read: one immutable, merged view of every worker of a service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import lt
from typing import NamedTuple, TypeVar, cast

from stethoscope.names import Kind, Metric
from stethoscope.store.clock import since_boot
from stethoscope.store.distribution import Distribution

T = TypeVar("T")


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
    ``pid`` tells workers apart for gauges that are not merged (`Merge.ALL`), else it is 0. It is a text where containers share
    a folder and an older worker has the same process id: that, and four hexadecimal digits (``1-3fa2``).
    ``stamp`` is the Unix time at which a gauge was last set, 0.0 for all else. ``exemplars`` are of a histogram, by the
    number of the explicit bucket; only where they were asked for (`stethoscope.store.exemplars`).
    """

    labels: tuple[str, ...]
    value: float | Distribution
    created: float
    overflow: bool = False
    pid: int | str = 0
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
    ``workers`` are the process ids of living workers, each of them once (as ``pid`` of `Series`). ``seconds`` is the length of the window that
    the numbers cover, or None when they count from the beginning. ``created`` is the Unix time at which the oldest
    series was made, None where that is not known. ``since_boot`` is when it was taken too, by a clock that nobody sets
    (`stethoscope.store.clock`): for the time between two snapshots.
    """

    service: str
    taken_at: float
    families: Mapping[str, Family]
    workers: tuple[int | str, ...] = ()
    seconds: float | None = None
    created: float | None = None
    since_boot: float = field(default_factory=since_boot, compare=False)
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


_Name = tuple[tuple[str, ...], bool]
"""A series' labels, and whether it is the overflow series."""


def _family_minus(family: Family, earlier: Family | None) -> Family:
    if earlier is None or family.metric.kind is Kind.GAUGE or _defined_otherwise(family.metric, earlier.metric):
        return family
    before = {(one.labels, one.overflow): one.value for one in earlier.series}
    series = [_series_minus(one, before.get((one.labels, one.overflow))) for one in family.series]
    if any(one.overflow for one in series):
        moved = dict(_moved(family.series, before))
        series = [_less_what_moved(one, moved) for one in series]
    return Family(family.metric, tuple(series))


def _moved(
    series: Iterable[Series], before: Mapping[_Name, float | Distribution]
) -> Iterator[tuple[_Name, float | Distribution]]:
    """What has moved into the overflow series: all that is there no more had counted before, and what others have lost, that were
    made again since.
    """
    present = {(one.labels, one.overflow): one.value for one in series}
    for name, then in before.items():
        now = present.get(name)
        if now is None:
            yield name, then
        elif isinstance(now, float) and isinstance(then, float) and now < then:
            yield name, then - now
        elif isinstance(now, Distribution) and isinstance(then, Distribution) and _fell(now, then):
            yield name, _by_cells(then.minus(now))


def _less_what_moved(series: Series, moved: Mapping[_Name, float | Distribution]) -> Series:
    if series.overflow:
        return reduce(_series_minus, moved.values(), series)
    if isinstance(series.value, Distribution) and (series.labels, False) in moved:
        return replace(series, value=_by_cells(series.value))
    return series


def _by_cells(difference: Distribution) -> Distribution:
    """A difference of states of which neither is the older in all cells: none is negative, and buckets are counted from them."""
    return Distribution(difference.buckets, difference.cells, difference.sum)


def _fell(now: Distribution, then: Distribution) -> bool:
    return any(map(lt, now.cumulative, then.cumulative))


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
