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

_EXPORTED: Final = f"exported_{SERVICE_LABEL}"
"""What a metric's own label of that name becomes, as Prometheus does it with labels that collide."""


def together(snapshots: Sequence[Snapshot]) -> Snapshot:
    """All families of all services, their series labelled with the service's name.

    A metric that services define with different kinds or units is given as the first of them has it;
    the others' series of it are left out, because a family has one type.
    """
    by_name: dict[str, list[tuple[str, Family]]] = {}
    for snapshot in snapshots:
        for name, family in snapshot.families.items():
            by_name.setdefault(name, []).append((snapshot.service, family))
    families = {name: _joined(by_name[name]) for name in sorted(by_name)}
    workers = tuple(chain.from_iterable(snapshot.workers for snapshot in snapshots))
    return Snapshot("", max((snapshot.taken_at for snapshot in snapshots), default=0.0), families, workers)


def _joined(families: list[tuple[str, Family]]) -> Family:
    first = families[0][1].metric
    fitting = [(service, family) for service, family in families if _fits(family.metric, first)]
    labels = tuple(dict.fromkeys(chain.from_iterable(family.metric.labels for _, family in fitting)))
    series = chain.from_iterable(_labelled(service, family, labels) for service, family in fitting)
    own = tuple(_EXPORTED if label == SERVICE_LABEL else label for label in labels)
    return Family(first._replace(labels=(SERVICE_LABEL, *own)), tuple(series))


def _fits(metric: Metric, first: Metric) -> bool:
    same = (metric.kind, metric.unit) == (first.kind, first.unit)
    return same and (metric.kind is not Kind.HISTOGRAM or metric.bounds == first.bounds)


def _labelled(service: str, family: Family, labels: tuple[str, ...]) -> Iterable[Series]:
    """The family's series with values for all ``labels``, the service's name first. What it has no value for is empty, which is absent."""
    if family.metric.labels == labels:
        return (replace(series, labels=(service, *series.labels)) for series in family.series)
    places = [family.metric.labels.index(label) if label in family.metric.labels else None for label in labels]
    return (
        replace(series, labels=(service, *("" if place is None else series.labels[place] for place in places)))
        for series in family.series
    )
