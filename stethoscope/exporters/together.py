"""Several services in one snapshot: each series says whose it is, so that none collides with another's.

The label is ``service_name``, which is what OpenTelemetry's ``service.name`` is called in Prometheus when it is
promoted to a label. Not ``service``: the Prometheus operator gives that label to all that it scrapes, with another
meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from stethoscope.names import Kind, Metric
from stethoscope.names.attributes import SERVICE_LABEL
from stethoscope.store.snapshot import Family, Series, Snapshot

_EXPORTED: Final = "exported_"
"""Put before the name of a metric's own label that is called so, as Prometheus does it with labels that collide."""


def together(snapshots: Sequence[Snapshot]) -> Snapshot:
    """All families of all services, their series labelled with the service's name.

    A metric that services define with different kinds or units is given as the first of them has it;
    the others' series of it are left out, because a family has one type. So are families that have a name in
    common with samples of another's, as a gauge ``jobs_total`` with those of a counter ``jobs``.
    """
    accepted = _Accepted()
    by_name: dict[str, list[tuple[str, Family]]] = {}
    for snapshot in snapshots:
        for name, family in snapshot.families.items():
            if accepted.takes(family.metric):
                by_name.setdefault(name, []).append((snapshot.service, family))
    families = {name: _joined(by_name[name]) for name in sorted(by_name)}
    workers = tuple(chain.from_iterable(snapshot.workers for snapshot in snapshots))
    return Snapshot("", max((snapshot.taken_at for snapshot in snapshots), default=0.0), families, workers)


class _Accepted:
    """Metrics on a page, and the names that they take there. Who comes first, has them."""

    def __init__(self) -> None:
        self._first: dict[str, Metric] = {}
        self._taken: set[str] = set()

    def takes(self, metric: Metric) -> bool:
        """Whether the metric can be on the page, which it is from then on."""
        first = self._first.get(metric.name)
        if first is not None:
            return _fits(metric, first)
        if not self._taken.isdisjoint(metric.sample_names):
            return False
        self._first[metric.name] = metric
        self._taken.update(metric.sample_names)
        return True


def _fits(metric: Metric, first: Metric) -> bool:
    same = (metric.kind, metric.unit) == (first.kind, first.unit)
    return same and (metric.kind is not Kind.HISTOGRAM or metric.bounds == first.bounds)


def _joined(families: list[tuple[str, Family]]) -> Family:
    own = [_own_labels(family.metric) for _, family in families]
    labels = tuple(dict.fromkeys(chain.from_iterable(own)))
    series = [_labelled(service, family, names, labels) for (service, family), names in zip(families, own, strict=True)]
    first = families[0][1].metric
    return Family(first._replace(labels=(SERVICE_LABEL, *labels)), tuple(chain.from_iterable(series)))


def _own_labels(metric: Metric) -> tuple[str, ...]:
    """The names of the metric's labels, none of them the service's."""
    free = SERVICE_LABEL
    while free in metric.labels:
        free = _EXPORTED + free
    return tuple(free if label == SERVICE_LABEL else label for label in metric.labels)


def _labelled(service: str, family: Family, names: tuple[str, ...], labels: tuple[str, ...]) -> Iterable[Series]:
    """The family's series, whose labels have ``names``, with values for all ``labels``, the service's name first.

    What it has no value for is empty, which is absent.
    """
    if names == labels:
        return (replace(series, labels=(service, *series.labels)) for series in family.series)
    places = [names.index(label) if label in names else None for label in labels]
    return (
        replace(series, labels=(service, *("" if place is None else series.labels[place] for place in places)))
        for series in family.series
    )
