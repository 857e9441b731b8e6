"""Requests: all of them, by route, and one route alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Final, NamedTuple, TypedDict

from stethoscope import names
from stethoscope.dashboards.documents.notes import number, text, whole
from stethoscope.dashboards.documents.window import Window, WindowName, described
from stethoscope.names import Metric
from stethoscope.store.buckets import SCALE, buckets_for
from stethoscope.store.distribution import Distribution, together
from stethoscope.store.notes import Note
from stethoscope.store.snapshot import Series, Snapshot
from stethoscope.store.timeline import DISCONNECT, endpoint_of, failed, known, ratio, summed

_BARS_PER_OCTAVE: Final = 4
_NOTHING: Final = "none"
_UNKNOWN: Final = "unknown"


class Latency(TypedDict):
    """Times of a kind of operation."""

    count: Annotated[int, "How many were completed in the window."]
    rate_per_second: Annotated[float, "How many were completed, per second of the window."]
    mean_seconds: Annotated[float | None, "Sum of all durations by their number."]
    min_seconds: Annotated[float | None, "The shortest; at most 1 % off."]
    p50_seconds: Annotated[float | None, "Half took no longer than this; at most 1 % off."]
    p95_seconds: Annotated[float | None, "95 of 100 took no longer than this; at most 1 % off."]
    p99_seconds: Annotated[float | None, "99 of 100 took no longer than this; at most 1 % off."]
    max_seconds: Annotated[float | None, "The longest; at most 1 % off."]


class Requests(Latency):
    """Requests whose response was completed in the window; times are from arrival to the last byte."""

    error_count: Annotated[int, "Requests that failed on our side: 5xx, and exceptions in the middle of a response."]
    error_ratio: Annotated[float, "Share of requests that failed on our side (0 to 1)."]
    disconnect_count: Annotated[int, "Requests whose client left before the end."]


class LastError(TypedDict):
    """The last request of an endpoint that failed and is kept to be followed."""

    type: Annotated[str, "Exception class, or the status."]
    status: Annotated[int | None, "The response's status; none when nothing was sent."]
    at_unix_seconds: Annotated[float, "When it arrived, as Unix time."]
    request_id: Annotated[str, "Its correlation ID."]


class Endpoint(Requests):
    """One method of one route template."""

    method: Annotated[str, "The HTTP method; _OTHER for all that are not known, empty for __overflow__."]
    route: Annotated[
        str,
        "The route template; __unmatched__ for paths that no route takes, __overflow__ for all that are not counted apart.",
    ]
    time_ratio: Annotated[float, "Share of the time of all requests that went into these (0 to 1)."]
    statuses: Annotated[
        dict[str, int], "Requests by response status; none when nothing was sent, unknown for __overflow__."
    ]
    errors: Annotated[
        dict[str, int], "Requests that did not end well, by exception class, status, or how the client left."
    ]
    last_error: Annotated[LastError | None, "The last request that failed; none while none did, or is kept no more."]


class Endpoints(TypedDict):
    """A page of the table of endpoints."""

    window: Window
    total: Annotated[int, "Endpoints that there are, on all pages."]
    offset: Annotated[int, "Endpoints before the first of this page."]
    items: Annotated[list[Endpoint], "The endpoints of this page."]


class Bar(TypedDict):
    """A bar of a distribution."""

    from_seconds: Annotated[float, "Durations above this."]
    to_seconds: Annotated[float, "Durations up to this."]
    count: Annotated[int, "How many there were."]


class EndpointReport(TypedDict):
    """All about one endpoint."""

    window: Window
    endpoint: Endpoint
    distribution: Annotated[list[Bar], "How durations are distributed, four bars an octave, gaps included."]
    first_byte: Annotated[Latency, "Time to the start of the response, for responses sent in several parts."]
    background: Annotated[Latency, "Time that the app went on working for requests after their response."]
    request_bytes_mean: Annotated[float | None, "Mean size of request bodies, of requests with one."]
    response_bytes_mean: Annotated[float | None, "Mean size of response bodies."]
    queries_mean: Annotated[
        float | None, "Mean number of database operations of the route's requests that had any, whatever their method."
    ]
    queries_max: Annotated[
        float | None, "Most database operations of a request to the route, whatever its method; at most 1 % off."
    ]
    query_time: Annotated[
        Latency, "Time in database operations of the route's requests that had any, whatever their method."
    ]


LastErrors = Mapping[tuple[str, str], LastError]
"""By method and route."""
_NONE: Final[LastErrors] = {}


def last_errors(notes: Iterable[Note]) -> LastErrors:
    """The latest failed request of each endpoint, of those that are kept; ``notes`` come with the newest first."""
    found: dict[tuple[str, str], LastError] = {}
    for content in [note.content for note in notes]:
        error = content.get("error_type")  # most of them have none: no more than this is done thousands of times
        if not error or error == DISCONNECT or not isinstance(error, str):
            continue
        key = (text(content, "method"), text(content, "route"))
        if key not in found:
            found[key] = LastError(
                type=error,
                status=whole(content, "status") or None,
                at_unix_seconds=number(content, "arrived_at") or 0.0,
                request_id=text(content, "request_id"),
            )
    return found


class _Part(NamedTuple):
    """What was recorded of one endpoint: its series, and all their durations together."""

    series: list[Series]
    durations: Distribution


def _parts(window: Snapshot) -> dict[tuple[str, str], _Part]:
    """By method and route."""
    found: defaultdict[tuple[str, str], list[Series]] = defaultdict(list)
    for series in window.family(names.REQUEST_DURATION).series:
        found[endpoint_of(series)].append(series)
    return {key: _Part(series, summed(names.REQUEST_DURATION, series)) for key, series in found.items()}


def totals(window: Snapshot) -> Requests:
    """All requests. Reckoned once for a snapshot, as all that follows."""
    return window.once(_totals)


def _totals(window: Snapshot) -> Requests:
    parts = window.once(_parts).values()
    durations = together(buckets_for(names.REQUEST_DURATION), [part.durations for part in parts])
    return _requests(_Part([one for part in parts for one in part.series], durations), _seconds(window))


def endpoints(window: Snapshot, last_errors: LastErrors = _NONE) -> list[Endpoint]:
    """All endpoints, those that took most time first."""
    found = window.once(_endpoints)
    return [Endpoint(**{**one, "last_error": last_errors.get((one["method"], one["route"]))}) for one in found]


def _endpoints(window: Snapshot) -> list[Endpoint]:
    found = [_endpoint(window, key, None) for key, part in window.once(_parts).items() if part.durations.count]
    return sorted(found, key=lambda one: (-one["time_ratio"], one["route"]))


def _endpoint(window: Snapshot, key: tuple[str, str], last_error: LastError | None) -> Endpoint:
    parts, (method, route) = window.once(_parts), key
    part, whole = parts[key], window.once(_spent)
    return Endpoint(
        **_requests(part, _seconds(window)),
        method=method,
        route=route,
        time_ratio=ratio(part.durations.sum, whole),
        statuses=_counts(part.series, 2),
        errors={name: count for name, count in _counts(part.series, 4).items() if name not in (_NOTHING, _UNKNOWN)},
        last_error=last_error,
    )


def _spent(window: Snapshot) -> float:
    """Seconds in all requests together."""
    return sum(part.durations.sum for part in window.once(_parts).values())


def page(name: WindowName, window: Snapshot, found: list[Endpoint], offset: int, limit: int) -> Endpoints:
    return Endpoints(
        window=described(name, window), total=len(found), offset=offset, items=found[offset : offset + limit]
    )


def slowest(found: list[Endpoint]) -> list[Endpoint]:
    """The same endpoints by their 95th percentile, the slowest first."""
    return sorted(found, key=lambda one: (-(one["p95_seconds"] or 0.0), one["route"]))


def endpoint_report(
    name: WindowName, window: Snapshot, method: str, route: str, last_errors: LastErrors = _NONE
) -> EndpointReport | None:
    """All about one endpoint; None where nothing was recorded of it in the window."""
    part = window.once(_parts).get((method, route))
    if part is None or not part.durations.count:
        return None
    queries = summed(names.REQUEST_QUERIES, _of_route(window, names.REQUEST_QUERIES, route))
    return EndpointReport(
        window=described(name, window),
        endpoint=_endpoint(window, (method, route), last_errors.get((method, route))),
        distribution=list(bars(part.durations)),
        first_byte=_latency_of(window, names.FIRST_BYTE, method, route),
        background=_latency_of(window, names.BACKGROUND_DURATION, method, route),
        request_bytes_mean=_mean_of(window, names.REQUEST_SIZE, method, route),
        response_bytes_mean=_mean_of(window, names.RESPONSE_SIZE, method, route),
        queries_mean=known(queries.mean),
        queries_max=known(queries.quantile(1.0)),
        query_time=latency(
            summed(names.REQUEST_QUERY_TIME, _of_route(window, names.REQUEST_QUERY_TIME, route)), _seconds(window)
        ),
    )


def latency(durations: Distribution, seconds: float) -> Latency:
    low, p50, p95, p99, high = map(known, durations.quantiles(0.0, 0.5, 0.95, 0.99, 1.0))
    return Latency(
        count=durations.count,
        rate_per_second=durations.count / seconds,
        mean_seconds=known(durations.mean),
        min_seconds=low,
        p50_seconds=p50,
        p95_seconds=p95,
        p99_seconds=p99,
        max_seconds=high,
    )


def bars(durations: Distribution) -> Iterator[Bar]:
    """The distribution in bars of equal width on a logarithmic axis, from the first that is not empty to the last."""
    zeros, buckets = durations.buckets.exponential(durations.cells)
    width = 2**SCALE // _BARS_PER_OCTAVE
    counts: defaultdict[int, int] = defaultdict(int)
    for index, count in buckets.items():
        counts[index // width] += count
    if zeros:
        yield Bar(from_seconds=0.0, to_seconds=0.0, count=zeros)
    for place in range(min(counts), max(counts) + 1) if counts else ():
        low, high = (2.0 ** ((place + step) / _BARS_PER_OCTAVE) for step in (0, 1))
        yield Bar(from_seconds=low, to_seconds=high, count=counts[place])


def _values(series: Iterable[Series]) -> Iterator[Distribution]:
    return (one.value for one in series if isinstance(one.value, Distribution))


def _seconds(window: Snapshot) -> float:
    return window.seconds or 1.0


def _requests(part: _Part, seconds: float) -> Requests:
    times, errors = latency(part.durations, seconds), failed(part.series)
    left = sum(value.count for value in _values(one for one in part.series if one.labels[-1] == DISCONNECT))
    return Requests(**times, error_count=errors, error_ratio=ratio(errors, times["count"]), disconnect_count=left)


def _counts(series: Iterable[Series], label: int) -> dict[str, int]:
    """Requests by the value of a label."""
    counts: defaultdict[str, int] = defaultdict(int)
    for one in series:
        if isinstance(one.value, Distribution) and one.value.count:
            counts[_UNKNOWN if one.overflow else one.labels[label] or _NOTHING] += one.value.count
    return dict(sorted(counts.items()))


def _of_endpoint(window: Snapshot, metric: Metric, method: str, route: str) -> list[Series]:
    return [one for one in window.family(metric).series if endpoint_of(one) == (method, route)]


def _of_route(window: Snapshot, metric: Metric, route: str) -> list[Series]:
    return [one for one in window.family(metric).series if one.labels[0] == route]


def _latency_of(window: Snapshot, metric: Metric, method: str, route: str) -> Latency:
    return latency(summed(metric, _of_endpoint(window, metric, method, route)), _seconds(window))


def _mean_of(window: Snapshot, metric: Metric, method: str, route: str) -> float | None:
    return known(summed(metric, _of_endpoint(window, metric, method, route)).mean)
