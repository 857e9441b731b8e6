"""What happened in one step of time, in few numbers: the points of charts."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, Final, TypedDict

from stethoscope import names
from stethoscope.names import Metric
from stethoscope.store.buckets import buckets_for
from stethoscope.store.distribution import Distribution, together
from stethoscope.store.snapshot import Series, Snapshot

OVERFLOW_ROUTE: Final = "__overflow__"
"""What the series is called that takes what the cap on series refused."""
_MOST_ROUTES: Final = 200
DISCONNECT: Final = "client_disconnect"


class RoutePoint(TypedDict):
    """One route in one step of time."""

    requests_per_second: Annotated[float, "Requests whose response was completed, per second."]
    error_ratio: Annotated[float, "Share of requests that failed on our side: 5xx and exceptions (0 to 1)."]
    p95_seconds: Annotated[float | None, "95th percentile of request durations; at most 1 % off."]


class Point(TypedDict):
    """One step of time, of all workers together."""

    at_unix_seconds: Annotated[float, "End of the step, as Unix time."]
    seconds: Annotated[float, "Length of the step."]
    requests_per_second: Annotated[float, "Requests whose response was completed, per second."]
    errors_per_second: Annotated[float, "Requests that failed on our side: 5xx and exceptions, per second."]
    error_ratio: Annotated[float, "Share of requests that failed on our side: 5xx and exceptions (0 to 1)."]
    p50_seconds: Annotated[float | None, "Median of request durations; at most 1 % off."]
    p95_seconds: Annotated[float | None, "95th percentile of request durations; at most 1 % off."]
    p99_seconds: Annotated[float | None, "99th percentile of request durations; at most 1 % off."]
    active_requests: Annotated[float, "Requests whose response was not complete at the end of the step."]
    workers: Annotated[int, "Living worker processes at the end of the step."]
    queries_per_second: Annotated[float, "Database operations per second."]
    query_p95_seconds: Annotated[float | None, "95th percentile of database operations; at most 1 % off."]
    routes: Annotated[
        dict[str, RoutePoint],
        "The busiest routes, at most 200, as 'METHOD template'; ' __overflow__' is all that are not counted apart.",
    ]


def point(step: Snapshot) -> Point:
    """What happened within ``step``, a difference of two snapshots."""
    seconds = step.seconds or 1.0
    requests = step.family(names.REQUEST_DURATION).series
    queries = step.family(names.QUERY_DURATION).series
    durations, times = summed(names.REQUEST_DURATION, requests), summed(names.QUERY_DURATION, queries)
    p50, p95, p99 = map(known, durations.quantiles(0.5, 0.95, 0.99))
    errors = failed(requests)
    return Point(
        at_unix_seconds=round(step.taken_at, 3),
        seconds=round(seconds, 3),
        requests_per_second=durations.count / seconds,
        errors_per_second=errors / seconds,
        error_ratio=ratio(errors, durations.count),
        p50_seconds=p50,
        p95_seconds=p95,
        p99_seconds=p99,
        active_requests=gauge(step, names.ACTIVE_REQUESTS),
        workers=len(step.workers),
        queries_per_second=times.count / seconds,
        query_p95_seconds=known(times.quantile(0.95)),
        routes=_routes(requests, seconds),
    )


def _routes(requests: Iterable[Series], seconds: float) -> dict[str, RoutePoint]:
    by_route: defaultdict[str, list[Series]] = defaultdict(list)
    for series in requests:
        by_route[" ".join(endpoint_of(series))].append(series)
    sums = {route: summed(names.REQUEST_DURATION, of_route) for route, of_route in by_route.items()}
    busiest = sorted((route for route in sums if sums[route].count), key=lambda route: -sums[route].count)
    return {
        route: RoutePoint(
            requests_per_second=sums[route].count / seconds,
            error_ratio=ratio(failed(by_route[route]), sums[route].count),
            p95_seconds=known(sums[route].quantile(0.95)),
        )
        for route in busiest[:_MOST_ROUTES]
    }


def endpoint_of(requests: Series) -> tuple[str, str]:
    """Method and route; of requests that are not counted apart, there is no method."""
    return ("", OVERFLOW_ROUTE) if requests.overflow else (requests.labels[0], requests.labels[1])


def summed(metric: Metric, series: Iterable[Series]) -> Distribution:
    """All series of a histogram together."""
    return together(buckets_for(metric), [one.value for one in series if isinstance(one.value, Distribution)])


def failed(requests: Iterable[Series]) -> int:
    """How many requests failed on our side: with an error that is not the client's leaving."""
    return sum(
        series.value.count
        for series in requests
        if isinstance(series.value, Distribution) and series.labels[-1] not in ("", DISCONNECT)
    )


def gauge(snapshot: Snapshot, metric: Metric) -> float:
    """The sum over a gauge's series; 0 without any."""
    return sum(series.value for series in snapshot.family(metric).series if not isinstance(series.value, Distribution))


def ratio(part: float, whole: float) -> float:
    """``part`` by ``whole``; 0 of nothing is 0."""
    return part / whole if whole else 0.0


def known(value: float) -> float | None:
    """What JSON has for a number that may not exist."""
    return value if math.isfinite(value) else None
