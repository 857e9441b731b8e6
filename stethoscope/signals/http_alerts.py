"""Alerts on requests."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from stethoscope.names import REQUEST_DURATION
from stethoscope.signals.alert import TRAFFIC, Alert, always, beyond, busy
from stethoscope.signals.config import Config
from stethoscope.signals.http import ERRORS, EXCEPTIONS, FAILED, LEAVING, SLOW
from stethoscope.signals.promql import Frame, counted, per_second, quantile
from stethoscope.signals.signal import Signal

_ROUTE_P95: Final = Signal(
    "p95 of a route",
    "How long do requests of a route take?",
    "s",
    lambda frame: quantile(0.95, REQUEST_DURATION, frame),
    "slow_route",
)


def _route_in_use(frame: Frame) -> str:
    return f"({per_second(REQUEST_DURATION, frame)}) > {TRAFFIC / 2:g}"


def _few_but_failing(config: Config) -> str:
    """Failures where there is too little traffic for `ASGIHighErrorRate`."""
    frame = config.in_rules("1h")
    failures, requests = counted(REQUEST_DURATION, frame.where(*FAILED)), counted(REQUEST_DURATION, frame)
    quiet = f"({per_second(REQUEST_DURATION, config.in_rules())}) <= {TRAFFIC:g}"
    return f"({failures}\n> 0.25 * {requests}) >= 5\nand {quiet}"


def _traffic_left(frame: Frame) -> str:
    now, before = (per_second(REQUEST_DURATION, replace(frame, ago=ago)) for ago in ("", "1h"))
    return f"({now} or {before} * 0) / ({before} > 1)"


_TRAFFIC_LEFT: Final = Signal(
    "Requests against an hour ago",
    "How much of the traffic of an hour ago is left?",
    "percentunit",
    _traffic_left,
    "traffic_left",
)

HTTP_ALERTS: Final = (
    Alert(
        "ASGIHighErrorRate",
        beyond(ERRORS, {"warn": "10m", "critical": "5m"}, guard=busy),
        "{{ $value | humanizePercentage }} of requests to <service> fail",
        "Too many requests end with a 5xx or an exception. Clients that leave early are not counted.",
        "Users see errors. Clients that retry add load.",
        (
            "Overview, “Errors by type”: one type or many? One points to code or to one thing it depends on.",
            "Overview, “Routes”: is it one route? Open it, and compare its status codes with its exceptions.",
            "Did it begin with a deploy, or with a restart? Both are marked on the graphs.",
            "Search the logs for a request ID of a failed response: `X-Request-ID` is in each of them.",
        ),
        (
            "After a deploy: roll back first, look afterwards.",
            "Something it depends on is down: answer without it, or fail fast with a 503 and `Retry-After`.",
        ),
    ),
    Alert(
        "ASGIErrorsLowTraffic",
        always("warning", _few_but_failing, "0m"),
        '{{ printf "%.0f" $value }} requests to <service> failed in the last hour, where there are few',
        "There is too little traffic for a rate to mean much, and yet at least five requests, and more than a quarter of "
        "all, failed in the last hour.",
        "Whoever uses it meets errors; nobody else would notice.",
        (
            "Overview with the range of the last 3 hours, “Errors by type”.",
            "Is it a health check or a cron job that fails? The route says so.",
        ),
        ("As for ASGIHighErrorRate.",),
    ),
    Alert(
        "ASGIUnhandledExceptions",
        beyond(EXCEPTIONS, {"warn": "0m", "critical": "0m"}, window="10m", keep=("error_type",)),
        '{{ printf "%.0f" $value }} requests to <service> ended with {{ $labels.error_type }} in ten minutes',
        "Requests end with an exception that no handler took: a programming error, or a failure that nobody expected.",
        "Each of these requests was answered with a plain 500, or its stream was cut.",
        (
            "The alert's `error_type` is the class of the exception; the log has its traceback under the request's ID.",
            "Route, “Errors by type”: on which routes?",
        ),
        ("Handle the exception where it belongs, or fix what raises it.",),
        labels=("error_type",),
    ),
    Alert(
        "ASGIHighLatency",
        beyond(SLOW, {"warn": "5m", "critical": "5m"}, guard=busy, lasting=False),
        "The slowest 5 % of requests to <service> take longer than {{ $value | humanizeDuration }}",
        "The 95th percentile of request durations, over all routes, is above the limit.",
        "The app feels slow to at least one request in twenty.",
        (
            "Overview, “Routes”, sorted by p95: one route or all?",
            "All routes at once: look at processor, event-loop lag and the database's pool, which all requests share.",
            "One route: open it. Is it slow from the first byte on, or while it sends? Does it do more queries than before?",
            "“Durations” as a heatmap: a second hump is a timeout, a lock or a cold cache; a shift is load.",
        ),
        (
            "More workers help if the processor is busy, and nothing else.",
            "A dependency is slow: lower its timeout, so that requests fail fast and do not pile up.",
        ),
    ),
    Alert(
        "ASGIRouteLatency",
        beyond(
            _ROUTE_P95,
            {"warn": "10m", "critical": "10m"},
            keep=("http_route", "http_request_method"),
            guard=_route_in_use,
            as_severity={"warn": "info"},
            lasting=False,
        ),
        "The slowest 5 % of {{ $labels.http_request_method }} {{ $labels.http_route }} on <service> take longer than "
        "{{ $value | humanizeDuration }}",
        "One route is slow, while the service as a whole may be fine.",
        "Users of this route wait.",
        ("Route: phases, queries per request, sizes of what it sends.", "Is it meant to be slow, such as an export?"),
        (
            "Meant to be slow: name it with `--lasting-route` where the rules are written, or raise `slow_route`.",
            "Else: page what it reads, cache what it computes, or move the work behind the response.",
        ),
        board="route",
        labels=("http_route", "http_request_method"),
    ),
    Alert(
        "ASGIClientDisconnects",
        beyond(LEAVING, {"warn": "10m", "critical": "10m"}, guard=busy, lasting=False),
        "{{ $value | humanizePercentage }} of clients of <service> leave before the response is complete",
        "Clients close the connection before they have the whole response.",
        "They lost patience, or a proxy's timeout is shorter than the app's.",
        (
            "Route by route: server-sent events and long polls end this way by design.",
            "Compare the p99 with the timeouts of the proxy and of the clients.",
        ),
        (
            "Streams that end this way by design: name their routes with `--lasting-route` where the rules are written.",
            "Else as for ASGIHighLatency.",
        ),
    ),
    Alert(
        "ASGITrafficDropped",
        beyond(_TRAFFIC_LEFT, {"warn": "10m", "critical": "10m"}),
        "{{ $value | humanizePercentage }} of the requests to <service> of an hour ago are left",
        "There is much less traffic than an hour ago, when there was more than one request per second.",
        "The app may be fine, and its users cut off: DNS, load balancer, certificate, a release of the client.",
        (
            "Can you reach it from outside, the way users do?",
            "Do other services of the same load balancer have their traffic?",
            "A batch job or a load test that ended looks the same.",
        ),
        ("Find what is in front of the app and has changed.",),
    ),
)
