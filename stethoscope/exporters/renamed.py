"""A snapshot under the names of other projects, so that a team's dashboards and alerts go on when it switches.

Pure: families from families. Requests, durations and sizes are those that we recorded, so that they are right across
workers, and methods and routes are bounded; see docs/how-to/migrate.md for what is different from the originals.

Counts at bounds that are ours too are exact; at others, an observation within 0.6 % of the bound can be
on its other side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import reduce
from typing import Final

from stethoscope.names import ACTIVE_REQUESTS, REQUEST_DURATION, REQUEST_SIZE, RESPONSE_SIZE, UNMATCHED_ROUTE, Metric
from stethoscope.names import others as names
from stethoscope.settings import OWN_NAMES
from stethoscope.store.buckets import Buckets, buckets_for
from stethoscope.store.distribution import Distribution
from stethoscope.store.snapshot import Family, Series, Snapshot

Labels = tuple[str, ...]
Relabel = Callable[[Series], Labels | None]
"""A series' labels under another name; None where the other project has no such series."""

_SENT_NOTHING: Final = "500"
"""What both count where the client was told nothing: their status stays as it was before the app was called."""


def renamed(snapshot: Snapshot, conventions: Sequence[str]) -> Snapshot:
    """The snapshot with requests under the names of each of ``conventions``; ``stethoscope`` are our own.

    What is not about requests keeps its names. Raises KeyError for a convention that there is not.
    """
    families = dict(snapshot.families)
    if OWN_NAMES not in conventions:
        for metric in (REQUEST_DURATION, REQUEST_SIZE, RESPONSE_SIZE, ACTIVE_REQUESTS):
            families.pop(metric.name, None)
    for convention in conventions:
        if convention != OWN_NAMES:
            families |= {family.metric.name: family for family in CONVENTIONS[convention](snapshot)}
    return replace(snapshot, families=dict(sorted(families.items())))


def _instrumentator(snapshot: Snapshot) -> Iterator[Family]:
    durations = snapshot.family(REQUEST_DURATION)

    def handler(series: Series) -> Labels:
        return ("none" if _route(series) == UNMATCHED_ROUTE else _route(series),)

    def request(series: Series) -> Labels:
        return (_method(series), f"{_status(series)[0]}xx", *handler(series))

    def by_handler(series: Series) -> Labels:
        return (_method(series), *handler(series))

    yield _counts(names.INSTRUMENTATOR_REQUESTS, durations, request)
    yield _sizes(names.INSTRUMENTATOR_REQUEST_SIZE, durations, snapshot.family(REQUEST_SIZE), handler)
    yield _sizes(names.INSTRUMENTATOR_RESPONSE_SIZE, durations, snapshot.family(RESPONSE_SIZE), handler)
    yield _distributions(names.INSTRUMENTATOR_DURATION, durations, lambda series: ())
    yield _distributions(names.INSTRUMENTATOR_DURATION_BY_HANDLER, durations, by_handler)
    yield _levels(names.INSTRUMENTATOR_IN_PROGRESS, snapshot.family(ACTIVE_REQUESTS), lambda series: ())


def _starlette_exporter(snapshot: Snapshot) -> Iterator[Family]:
    durations = snapshot.family(REQUEST_DURATION)

    def request(series: Series) -> Labels | None:
        # It leaves out what no route is for, by method or path.
        if _route(series) == UNMATCHED_ROUTE or _status(series) == "405":
            return None
        return (_method(series), _route(series), _status(series), snapshot.service)

    yield _counts(names.STARLETTE_REQUESTS, durations, request)
    yield _distributions(names.STARLETTE_DURATION, durations, request)
    yield _totals(names.STARLETTE_REQUEST_BYTES, durations, snapshot.family(REQUEST_SIZE), request)
    yield _totals(names.STARLETTE_RESPONSE_BYTES, durations, snapshot.family(RESPONSE_SIZE), request)
    active = snapshot.family(ACTIVE_REQUESTS)
    yield _levels(names.STARLETTE_IN_PROGRESS, active, lambda series: (series.labels[0], snapshot.service))


CONVENTIONS: Final[dict[str, Callable[[Snapshot], Iterable[Family]]]] = {
    "instrumentator": _instrumentator,
    "starlette_exporter": _starlette_exporter,
}


# What our series of requests say of themselves: labels of names.REQUEST_DURATION and its like, in their order.


def _method(series: Series) -> str:
    return series.labels[0]


def _route(series: Series) -> str:
    return series.labels[1]


def _status(series: Series) -> str:
    return series.labels[2] or _SENT_NOTHING


# Families of ours become families of theirs.


def _grouped(family: Family, relabel: Relabel) -> dict[tuple[Labels, bool], list[Series]]:
    """Series by the labels that they have in common, and whether they hold what our cap refused."""
    groups: dict[tuple[Labels, bool], list[Series]] = {}
    for series in family.series:
        labels = relabel(series)
        if labels is not None:
            groups.setdefault(_key(labels, series), []).append(series)
    return dict(sorted(groups.items()))


def _key(labels: Labels, series: Series) -> tuple[Labels, bool]:
    return (("",) * len(labels), True) if series.overflow else (labels, False)


def _family(
    metric: Metric, family: Family, relabel: Relabel, value: Callable[[list[Series]], float | Distribution]
) -> Family:
    return Family(
        metric,
        tuple(
            Series(labels, value(group), min(series.created for series in group), overflow)
            for (labels, overflow), group in _grouped(family, relabel).items()
        ),
    )


def _counts(metric: Metric, durations: Family, relabel: Relabel) -> Family:
    return _family(metric, durations, relabel, lambda group: float(sum(one.count for one in _values(group))))


def _totals(metric: Metric, durations: Family, sizes: Family, relabel: Relabel) -> Family:
    def value(sized: list[Distribution], requests: int) -> float:
        return sum((one.sum for one in sized), 0.0)

    return _with_sizes(metric, durations, sizes, relabel, value)


def _levels(metric: Metric, gauges: Family, relabel: Relabel) -> Family:
    return _family(
        metric, gauges, relabel, lambda group: sum(one.value for one in group if isinstance(one.value, float))
    )


def _distributions(metric: Metric, durations: Family, relabel: Relabel) -> Family:
    buckets = buckets_for(metric)
    return _family(metric, durations, relabel, lambda group: _recut(_sum(_values(group)), buckets))


def _sizes(metric: Metric, durations: Family, sizes: Family, relabel: Relabel) -> Family:
    """A size for each request, as the originals have it: nothing, where there was no body, counts as well."""
    buckets = buckets_for(metric)

    def value(sized: list[Distribution], requests: int) -> Distribution:
        found = _recut(_sum(sized), buckets) if sized else Distribution(buckets, {}, 0.0)
        without = max(0, requests - found.count)
        return Distribution(buckets, dict(found.cells) | {0: found.cells.get(0, 0) + without}, found.sum)

    return _with_sizes(metric, durations, sizes, relabel, value)


def _with_sizes(
    metric: Metric,
    durations: Family,
    sizes: Family,
    relabel: Relabel,
    value: Callable[[list[Distribution], int], float | Distribution],
) -> Family:
    """A series for all requests of one label set, its value from their sizes and their number."""
    known = _grouped(sizes, relabel)

    def of_group(group: list[Series]) -> float | Distribution:
        sized = _values(known.get(_key(relabel(group[0]) or (), group[0]), []))
        return value(sized, sum(one.count for one in _values(group)))

    return _family(metric, durations, relabel, of_group)


def _values(group: Iterable[Series]) -> list[Distribution]:
    return [series.value for series in group if isinstance(series.value, Distribution)]


def _sum(distributions: Sequence[Distribution]) -> Distribution:
    return reduce(Distribution.plus, distributions)


def _recut(distribution: Distribution, buckets: Buckets) -> Distribution:
    """The same counts in other cells: each goes where its middle lies, which is exact at every bound that both have."""
    old, cells = distribution.buckets, dict[int, int]()
    for cell, count in distribution.cells.items():
        middle = old.midpoint(cell) if cell < len(old.bounds) else float("inf")
        cells[buckets.cell(middle)] = cells.get(buckets.cell(middle), 0) + count
    return Distribution(buckets, cells, distribution.sum)
