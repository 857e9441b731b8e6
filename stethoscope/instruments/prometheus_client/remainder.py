"""The families of prometheus_client that are in no snapshot, as prometheus_client renders them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, TypeVar, cast

from prometheus_client import REGISTRY, GCCollector, Metric, ProcessCollector, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.registry import Collector

from stethoscope.instruments.prometheus_client import values
from stethoscope.instruments.prometheus_client.sinks import Child
from stethoscope.store.snapshot import Snapshot

logger = logging.getLogger("stethoscope")

T = TypeVar("T")

_END: Final = b"# EOF\n"
_warned: Final[set[str]] = set()


def render(snapshot: Snapshot, openmetrics: bool, names: frozenset[str] | None) -> bytes:
    """See `stethoscope.instruments.prometheus_client.foreign`."""
    _fenced(_declare)
    several = len(snapshot.workers) > 1
    present = set(snapshot.families)
    taken = {name for family in snapshot.families.values() for name in family.metric.sample_names}
    page = []
    for collector in _fenced(_collectors):
        if several and _is_one_workers_share(collector):
            continue
        for family in _fenced(collector.collect, collector):
            if family.name in present or not _wanted(family, names):
                continue
            present.add(family.name)
            own = _names(family)
            if taken.isdisjoint(own):
                taken |= own
                page += _fenced(partial(_rendered, family, openmetrics), collector)
            else:
                clash = ", ".join(sorted(taken & own))
                _warn_once(
                    clash, "the family %s is left out of scrapes: the name %s is taken already", family.name, clash
                )
    return b"".join(page)


def _declare() -> list[None]:
    if not values.multiprocess():
        values.declare_all()
    return []


def _collectors() -> list[Collector]:
    registered = list(REGISTRY._collector_to_names)
    if values.multiprocess():
        return [MultiProcessCollector(None), *registered]  # type: ignore[no-untyped-call]
    return registered


def _is_one_workers_share(collector: Collector) -> bool:
    """Whether its numbers would be taken for the service's, and are not.

    A counter or the like that no worker has recorded is zero for all.
    """
    if isinstance(collector, ProcessCollector | GCCollector):
        return True
    if not isinstance(collector, values.SHARED_KINDS):
        return False
    metric = cast(Child, collector)
    return not _shared(metric) and not all(values.computed(child) for _, child in values.children_of(metric))


def _shared(metric: Child) -> bool:
    return values.in_place() and metric._name not in values.refused


def _wanted(family: Metric, names: frozenset[str] | None) -> bool:
    return names is None or family.name in names or any(sample.name in names for sample in family.samples)


def _names(family: Metric) -> set[str]:
    """All that a page may call it. In the text format a family can be named as its samples are."""
    suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
    return {family.name, family.name + suffix, *(sample.name for sample in family.samples)}


class _Page:
    """One family where prometheus_client expects a registry."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        return [self._family]


def _rendered(family: Metric, openmetrics: bool) -> list[bytes]:
    if openmetrics:
        page: bytes = openmetrics_exposition.generate_latest(_Page(family))  # type: ignore[no-untyped-call]
        return [page.removesuffix(_END)]
    # In this format they would be gauges of their own, which the families of a snapshot have not either.
    created = f"{family.name}_created"
    family.samples = [sample for sample in family.samples if sample.name != created]
    return [generate_latest(_Page(family))]


def _fenced(call: Callable[[], Iterable[T]], collector: object = None) -> list[T]:
    """What ``call`` gives, or nothing and one warning when it fails: the rest of the page is still right."""
    try:
        return list(call())
    except Exception as error:
        name = type(collector).__name__ if collector else "prometheus_client"
        _warn_once(name, "%s could not be collected and is left out of scrapes: %r", name, error)
        return []


def _warn_once(topic: str, message: str, *arguments: object) -> None:
    if topic not in _warned:
        _warned.add(topic)
        logger.warning(message, *arguments)
