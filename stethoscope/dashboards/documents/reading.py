"""Single numbers of a snapshot, by metric and labels."""

from __future__ import annotations

from collections.abc import Iterator

from stethoscope.names import Metric
from stethoscope.store.distribution import Distribution
from stethoscope.store.snapshot import Series, Snapshot


def numbers(snapshot: Snapshot, metric: Metric, **labels: str) -> Iterator[tuple[Series, float]]:
    """The series of a counter or gauge that have these label values, with their numbers."""
    places = [(metric.labels.index(name), value) for name, value in labels.items()]
    for series in snapshot.family(metric).series:
        if not isinstance(series.value, Distribution) and all(series.labels[at] == value for at, value in places):
            yield series, series.value


def total(snapshot: Snapshot, metric: Metric, **labels: str) -> float:
    """Their sum; 0 without any."""
    return sum(value for _, value in numbers(snapshot, metric, **labels))


def first(snapshot: Snapshot, metric: Metric, **labels: str) -> float | None:
    """The only one; None where nothing was recorded."""
    return next((value for _, value in numbers(snapshot, metric, **labels)), None)


def by_worker(snapshot: Snapshot, metric: Metric) -> dict[int | str, float]:
    """The sum of each living worker's series, of a gauge that is not merged."""
    found: dict[int | str, float] = {}
    for series, value in numbers(snapshot, metric):
        found[series.pid] = found.get(series.pid, 0.0) + value
    return found


def with_labels(snapshot: Snapshot, metric: Metric, **labels: str) -> list[Series]:
    """The series of a metric that have these label values."""
    places = [(metric.labels.index(name), value) for name, value in labels.items()]
    return [one for one in snapshot.family(metric).series if all(one.labels[at] == value for at, value in places)]


def label_values(snapshot: Snapshot, metric: Metric, label: str) -> list[str]:
    """All values of a label, sorted, without that of the overflow series."""
    at = metric.labels.index(label)
    return sorted({one.labels[at] for one in snapshot.family(metric).series if not one.overflow})
