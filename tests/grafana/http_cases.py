"""Cases for the alerts on requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from stethoscope.names import REQUEST_DURATION
from tests.grafana.birth_cases import born
from tests.grafana.case import BOTH, CRITICAL, HOSTS, INFO, NONE, WARNING, Case, values

_COUNT: Final = f"{REQUEST_DURATION.name}_count"


def requests(
    *pieces: tuple[int, float], error: str = "", route: str = "/", method: str = "GET", step: int = 1, job: str = "shop"
) -> dict[str, str]:
    """Counts of requests at rates over time, half of them on each host."""
    labels = f'http_route="{route}", http_request_method="{method}"' + (f', error_type="{error}"' if error else "")
    halves = [(minutes, rate / 2) for minutes, rate in pieces]
    return {
        f'{REQUEST_DURATION.name}_count{{job="{job}", instance="{host}", {labels}}}': values(*halves, step=step)
        for host in HOSTS
    }


def durations(
    shares: Sequence[Sequence[tuple[int, float]]],
    rate: float,
    route: str = "/",
    bounds: Sequence[str] = ("0.5", "1.0", "2.5", "5.0"),
) -> dict[str, str]:
    """Counts and buckets of requests: for each bound the share at or below it, in pieces over time."""
    labels = f'job="shop", instance="a", http_route="{route}", http_request_method="GET"'
    minutes = sum(length for length, _ in shares[0])
    found = {f"{REQUEST_DURATION.name}_count{{{labels}}}": values((minutes, rate))}
    for bound, pieces in zip(bounds, shares, strict=True):
        counts = [(length, share * rate) for length, share in pieces]
        found[f'{REQUEST_DURATION.name}_bucket{{{labels}, le="{bound}"}}'] = values(*counts)
    found[f'{REQUEST_DURATION.name}_bucket{{{labels}, le="+Inf"}}'] = values((minutes, rate))
    return found


def _failing(share: float, rate: float = 10, error: str = "500") -> dict[str, str]:
    """Half an hour of health, half an hour in which a share fails, an hour of health; clients leave all the time."""
    left = rate / 5
    return {
        **requests((30, rate - left), (30, rate - left - share * rate), (60, rate - left)),
        **requests((120, left), error="client_disconnect"),
        **requests((30, 0), (30, share * rate), (60, 0), error=error),
    }


def _error_rate() -> Iterator[Case]:
    name = "ASGIHighErrorRate"
    yield Case(
        name,
        "beyond both thresholds, while many clients leave",
        _failing(0.055),
        {29: NONE, 36: NONE, 39: NONE, 40: CRITICAL, 41: BOTH, 60: BOTH, 64: BOTH, 65: CRITICAL, 66: NONE, 90: NONE},
        (50, {"critical": "5.5% of requests to shop fail", "warning": "5.5% of requests to shop fail"}),
    )
    yield Case(name, "below critical", _failing(0.045), {50: WARNING, 59: WARNING})
    yield Case(name, "below warning", _failing(0.009), {50: NONE, 59: NONE})
    yield Case(
        name,
        "beyond warning",
        _failing(0.011),
        {44: NONE, 45: WARNING, 59: WARNING, 61: NONE},
    )
    yield Case(name, "exceptions count as failures", _failing(0.055, error="shop.PaymentProviderDown"), {50: BOTH})
    yield Case(name, "too little traffic to say", _failing(0.3, rate=0.09), {50: NONE, 59: NONE})
    yield Case(name, "just enough traffic", _failing(0.3, rate=0.11), {50: BOTH})
    yield Case(name, "no failure ever", requests((120, 10)), {50: NONE, 110: NONE})


def _low_traffic() -> Iterator[Case]:
    name = "ASGIErrorsLowTraffic"

    def few(failures: float, of: float, all_rate: float = 0) -> dict[str, str]:
        """In each hour; ``all_rate`` is a rate of further requests, of the last ten minutes only."""
        return {
            **requests((180, (of - failures) / 3600)),
            **requests((180, failures / 3600), error="500"),
            **requests((120, 0), (60, all_rate), route="/busy"),
        }

    yield Case(
        name,
        "six of twenty in the last hour",
        few(6, 20),
        {90: WARNING, 119: WARNING, 150: WARNING},
        (119, {"warning": "6 requests to shop failed in the last hour, where there are few"}),
    )
    yield Case(name, "five are enough", few(5.3, 19), {119: WARNING})
    yield Case(name, "four are too few", few(4.4, 10), {119: NONE})
    left = requests((180, 2.2 / 3600), error="client_disconnect")
    yield Case(name, "four, and two clients that left", {**few(4.4, 10), **left}, {119: NONE})
    many = requests((180, 7 / 3600), error="client_disconnect")
    yield Case(name, "six of many, and some clients that left", {**few(6, 30), **many}, {119: NONE})
    yield Case(name, "a fifth of all is too little", few(22, 100), {119: NONE})
    yield Case(name, "a bit more than a quarter", few(28, 100), {119: WARNING})
    yield Case(name, "enough traffic for the other alert", few(120, 410), {119: NONE})
    yield Case(name, "just too little traffic for the other alert", few(100, 330), {119: WARNING})
    yield Case(
        name, "clients that leave are no failures", requests((120, 0.005), error="client_disconnect"), {119: NONE}
    )
    yield Case(
        name,
        "it is over an hour after the last failure",
        {**requests((200, 0.002)), **requests((60, 0), (60, 0.003), (120, 0), error="500")},
        {87: NONE, 88: WARNING, 95: WARNING, 140: WARNING, 158: NONE, 185: NONE},
    )
    yield Case(
        name,
        "traffic comes back",
        {**requests((120, 0.01), (60, 0.2)), **requests((180, 0.008), error="500")},
        {119: WARNING, 123: NONE, 150: NONE},
    )

    failed = f'{_COUNT}{{job="shop", instance="a", http_route="/new", error_type="KeyError"}}'
    said = "5 requests to shop failed in the last hour, where there are few"
    yield from born(name, failed, 5, WARNING, said, window=60)
    there = {f'stethoscope_workers{{job="shop", instance="{host}"}}': "1x200" for host in HOSTS}
    routes = {
        failed.replace("/new", f"/{place}"): f"_x{90 + place} {count}x90" for place, count in enumerate((1, 1, 5, 3))
    }
    yield Case(name, "four routes fail for the first time", {**there, **routes}, {89: NONE, 91: NONE, 95: WARNING})
    succeeded = failed.replace("KeyError", "")
    host = {
        'stethoscope_workers{job="shop", instance="c"}': "_x90 1x90",
        succeeded.replace('"a"', '"c"'): "_x90 1000x90",
    }
    yield Case(name, "a new host has counted before", {**there, **routes, **host}, {95: WARNING})
    back = {succeeded: "_x27 1000x2 _x60 1000x90"}
    yield Case(name, "what succeeded comes back", {**there, failed: "_x90 5x90", **back}, {95: WARNING})
    neighbour = {'stethoscope_workers{job="shop", instance="a", service_name="till"}': "_x90 1x90"}
    for of in ("}", ', service_name="shop"}'):
        workers = {one.replace("}", of): text for one, text in there.items()}
        for others, fires in ((14, WARNING), (16, NONE)):
            series = {failed.replace("}", of): "_x90 5x90", succeeded.replace("}", of): f"_x90 {others}x90"}
            yield Case(name, f"{others} others are as new", {**workers, **neighbour, **series}, {95: fires, 140: fires})


def _exceptions() -> Iterator[Case]:
    name = "ASGIUnhandledExceptions"

    def raised(count: float, error: str = "ValueError") -> dict[str, str]:
        """So many within ten minutes, from minute 30 to 40."""
        return {**requests((120, 1)), **requests((30, 0), (10, count / 600), (80, 0), error=error)}

    yield Case(
        name,
        "six of one type in ten minutes",
        raised(6),
        {29: NONE, 37: NONE, 41: WARNING, 42: NONE, 60: NONE},
        (41, {"warning": "5 requests to shop ended with ValueError in ten minutes"}),
        labels={"error_type": "ValueError"},
    )
    yield Case(name, "five are not enough", raised(4.4), {39: NONE, 40: NONE, 41: NONE})
    yield Case(
        name,
        "types are not added up",
        {**raised(4), **{key: value for key, value in raised(4, "KeyError").items() if "KeyError" in key}},
        {40: NONE},
    )
    raised_first = f'{_COUNT}{{job="shop", instance="a", http_route="/new", error_type="KeyError"}}'
    said = "400 requests to shop ended with KeyError in ten minutes"
    yield from born(name, raised_first, 400, WARNING, said, error_type="KeyError")
    few = {raised_first: "_x40 5x90", 'stethoscope_workers{job="shop", instance="a"}': "1x130"}
    yield Case(name, "five of a new type at once are not enough", few, {41: NONE})
    for error in ("500", "503", "client_disconnect", "cancelled", "incomplete_response"):
        yield Case(name, f"{error} is no exception", raised(60, error), {40: NONE})


def _latency() -> Iterator[Case]:
    name = "ASGIHighLatency"

    def slow(share: float, rate: float = 1, near: float = 0) -> dict[str, str]:
        """Half an hour in which a share takes 1 to 2.5 s, and ``near`` 0.5 to 1 s; the rest is fast."""
        pieces = [
            ((30, 1.0), (30, 1 - share - near), (60, 1.0)),
            ((30, 1.0), (30, 1 - share), (60, 1.0)),
            ((120, 1.0),),
            ((120, 1.0),),
        ]
        return durations(pieces, rate)

    yield Case(
        name,
        "the 95th percentile is 1.25 s",
        slow(0.06),
        {29: NONE, 38: NONE, 39: NONE, 40: WARNING, 60: WARNING, 62: NONE},
        (50, {"warning": "The slowest 5 % of requests to shop take longer than 1.25s"}),
    )
    yield Case(name, "the 95th percentile is below 1 s", slow(0.04, near=0.2), {50: NONE})
    yield Case(name, "the 95th percentile is 1.07 s", slow(0.0525), {50: WARNING})
    yield Case(name, "the 95th percentile is 0.98 s", slow(0.048, near=0.1), {50: NONE})
    yield Case(name, "almost all are slow", slow(0.9), {50: WARNING})
    yield Case(name, "too little traffic to say", slow(0.5, rate=0.09), {50: NONE})
    yield Case(name, "just enough traffic", slow(0.5, rate=0.11), {50: WARNING})


def _route_latency() -> Iterator[Case]:
    name = "ASGIRouteLatency"

    def slow(share: float, rate: float = 0.2, near: float = 0.0) -> dict[str, str]:
        pieces = [
            ((30, 1.0), (40, 1 - share - near), (50, 1.0)),
            ((30, 1.0), (40, 1 - share - near), (50, 1.0)),
            ((30, 1.0), (40, 1 - share), (50, 1.0)),
            ((120, 1.0),),
        ]
        # Another route, fast and much used, so that the service as a whole is fine.
        return {**durations(pieces, rate, "/report"), **durations([((120, 1.0),)] * 4, 20, "/fast")}

    labels = {"http_route": "/report", "http_request_method": "GET"}
    yield Case(
        name,
        "one route's 95th percentile is 4.1 s",
        slow(0.1),
        {42: NONE, 43: INFO, 69: INFO, 74: NONE},
        (60, {"info": "The slowest 5 % of GET /report on shop take longer than 3.75s"}),
        labels=labels,
    )
    yield Case(name, "below 2 s", slow(0.0, near=0.08), {60: NONE})
    yield Case(name, "just below 2 s", slow(0.0, near=0.14), {60: NONE})
    yield Case(name, "just above 2 s", slow(0.0, near=0.18), {60: INFO}, labels=labels)
    yield Case(name, "hardly used", slow(0.5, rate=0.045), {60: NONE})
    yield Case(name, "just used", slow(0.5, rate=0.055), {60: INFO}, labels=labels)


def _leaving() -> Iterator[Case]:
    name = "ASGIClientDisconnects"

    def leave(share: float, rate: float = 10) -> dict[str, str]:
        return {
            **requests((30, rate), (30, rate * (1 - share)), (60, rate)),
            **requests((30, 0), (30, rate * share), (60, 0), error="client_disconnect"),
            **requests((120, rate / 1000), error="500"),
        }

    yield Case(
        name,
        "11 % leave",
        leave(0.11),
        {40: NONE, 44: NONE, 45: WARNING, 60: WARNING, 62: NONE},
        (50, {"warning": "10.99% of clients of shop leave before the response is complete"}),
    )
    yield Case(name, "9 % leave", leave(0.09), {50: NONE, 59: NONE})
    yield Case(name, "almost all leave", leave(0.9), {50: WARNING})
    yield Case(name, "too little traffic to say", leave(0.5, rate=0.09), {50: NONE})
    yield Case(name, "just enough traffic", leave(0.5, rate=0.11), {50: WARNING})
    yield Case(name, "nobody leaves, all fails", requests((120, 10), error="500"), {50: NONE})


def _traffic() -> Iterator[Case]:
    name = "ASGITrafficDropped"

    def dropped(left: float, rate: float = 2) -> dict[str, str]:
        return requests((90, rate), (90, rate * left))

    yield Case(
        name,
        "18 % are left",
        dropped(0.18),
        {95: NONE, 104: NONE, 105: WARNING, 148: WARNING, 153: NONE, 170: NONE},
        (120, {"warning": "18% of the requests to shop of an hour ago are left"}),
    )
    yield Case(name, "22 % are left", dropped(0.22), {120: NONE})
    yield Case(name, "no request is left, and no series", requests((90, 2)), {90: NONE, 120: WARNING, 145: WARNING})
    yield Case(name, "there never was much", dropped(0, rate=0.9), {120: NONE})
    yield Case(name, "there was just enough", dropped(0, rate=1.1), {120: WARNING})
    yield Case(name, "traffic as ever", requests((180, 2)), {120: NONE})


HTTP_CASES: tuple[Case, ...] = (
    *_error_rate(),
    *_low_traffic(),
    *_exceptions(),
    *_latency(),
    *_route_latency(),
    *_leaving(),
    *_traffic(),
)
