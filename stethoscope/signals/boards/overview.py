"""Overview: is all well, since when not, and on which route."""

from __future__ import annotations

from typing import Final

from stethoscope.signals.board import Board, Row, link_to
from stethoscope.signals.http import (
    APDEX,
    BACKGROUND_LOAD,
    DURATIONS,
    ERRORS,
    ERRORS_BY_TYPE,
    IN_FLIGHT,
    LEAVING,
    P50,
    P95,
    P99,
    REQUEST_BYTES,
    REQUESTS,
    REQUESTS_BY_STATUS,
    RESPONSE_BYTES,
    SOCKET_BYTES,
    SOCKET_MESSAGES,
    SOCKET_P95,
    SOCKETS,
    SOCKETS_CLOSED,
    TIME_SPENT,
    TIMED,
    TIMERS,
)
from stethoscope.signals.objectives import BUDGET_LEFT, FIRING, GOOD
from stethoscope.signals.own import FOUND
from stethoscope.signals.panels import Column, heatmap, stat, table, timeseries

_ROUTE: Final = {"http_route": "Route", "http_request_method": "Method"}

OVERVIEW: Final = Board(
    "overview",
    "Overview",
    "Requests, errors and durations of ASGI services, over all workers and hosts.",
    (
        Row(
            "At a glance",
            (
                stat(GOOD, "Objective met", decimals=2, link=lambda config: link_to("slo", config)),
                stat(BUDGET_LEFT, "Budget left", decimals=1, link=lambda config: link_to("slo", config)),
                stat(REQUESTS, nothing="no traffic"),
                stat(ERRORS, decimals=2, nothing="no traffic"),
                stat(P95, "Duration p95", nothing="no traffic"),
                stat(IN_FLIGHT),
                stat(APDEX, decimals=2, nothing="no traffic"),
                stat(FIRING, link=lambda config: link_to("slo", config)),
            ),
        ),
        Row(
            "Requests, errors, durations",
            (
                timeseries(
                    "Requests by status",
                    REQUESTS_BY_STATUS,
                    keep=("http_response_status_code",),
                    legend="{{http_response_status_code}}",
                    stacked=True,
                    by_status=True,
                    nothing="no traffic",
                ),
                timeseries("Errors and clients that left", ERRORS, LEAVING, nothing="no traffic"),
                timeseries("Durations", P50, P95, P99, exemplars=True, nothing="no traffic"),
                heatmap("Distribution of durations", DURATIONS, width=12),
                timeseries(
                    "Errors by type",
                    ERRORS_BY_TYPE,
                    legend="{{error_type}}",
                    width=12,
                    stacked=True,
                    bars=True,
                    nothing="no errors",
                ),
            ),
        ),
        Row(
            "Routes",
            (
                table(
                    "Routes",
                    "Which routes are used most, fail, or are slow? The first column leads to a route's own page.",
                    (
                        Column("Requests", REQUESTS, bar=True),
                        Column("Errors", ERRORS),
                        Column("p50", P50),
                        Column("p95", P95),
                        Column("p99", P99),
                        Column("Busy", TIME_SPENT, bar=True),
                    ),
                    _ROUTE,
                    link=lambda config: link_to(
                        "route", config, route="${__value.raw}", method="${__data.fields.Method}"
                    ),
                    sort="Busy",
                    width=24,
                ),
                timeseries(
                    "Where the time goes",
                    TIME_SPENT,
                    keep=tuple(_ROUTE),
                    legend="{{http_request_method}} {{http_route}}",
                    width=12,
                    top=10,
                    stacked=True,
                ),
                timeseries("In flight", IN_FLIGHT, BACKGROUND_LOAD, width=6),
                timeseries("Bytes", REQUEST_BYTES, RESPONSE_BYTES, width=6),
            ),
        ),
        Row(
            "Findings",
            (
                timeseries(
                    "Findings",
                    FOUND,
                    keep=("http_route",),
                    legend="{{severity}} {{kind}} {{http_route}}",
                    width=24,
                    stacked=True,
                    bars=True,
                    nothing="none",
                ),
            ),
        ),
        Row(
            "WebSockets",
            (
                timeseries("Open connections", SOCKETS, width=6),
                timeseries(
                    "Connections ended", SOCKETS_CLOSED, legend="{{close_code}}", width=6, stacked=True, bars=True
                ),
                timeseries("Messages", SOCKET_MESSAGES, legend="{{direction}}", width=6),
                timeseries("Bytes of messages", SOCKET_BYTES, legend="{{direction}}", width=6),
                timeseries(
                    "Connection p95", SOCKET_P95, keep=("http_route",), legend="{{http_route}}", width=24, height=6
                ),
            ),
            collapsed=True,
        ),
        Row(
            "Timers",
            (
                timeseries("Timed operations", TIMED, legend="{{name}}", width=12),
                timeseries("Timer p95", TIMERS, legend="{{name}}", width=12),
            ),
            collapsed=True,
        ),
    ),
)
