"""Route: what is particular about one."""

from __future__ import annotations

from typing import Final

from stethoscope.signals.board import REQUEST_METHOD, REQUEST_ROUTE, Board, Row
from stethoscope.signals.http import (
    BACKGROUND,
    DURATIONS,
    ERRORS,
    ERRORS_BY_TYPE,
    FIRST_BYTES,
    LEAVING,
    P50,
    P95,
    P99,
    REQUEST_MEAN,
    REQUESTS,
    REQUESTS_BY_STATUS,
    RESPONSE_MEAN,
    TIME_SPENT,
)
from stethoscope.signals.panels import heatmap, stat, timeseries
from stethoscope.signals.signal import HOST

_CHOSEN: Final = ('http_route=~"$route"', 'http_request_method=~"$method"')

ROUTE: Final = Board(
    "route",
    "Route",
    "One route, or some: their requests, errors, durations and sizes.",
    (
        Row(
            "At a glance",
            (
                stat(REQUESTS, nothing="no traffic"),
                stat(ERRORS, decimals=2, nothing="no traffic"),
                stat(LEAVING, decimals=2, nothing="no traffic"),
                stat(P50, "Duration p50", nothing="no traffic"),
                stat(P95, "Duration p95", nothing="no traffic"),
                stat(P99, "Duration p99", nothing="no traffic"),
                stat(TIME_SPENT, "Busy", decimals=2),
                stat(RESPONSE_MEAN, decimals=1),
            ),
            matchers=_CHOSEN,
        ),
        Row(
            "Requests",
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
                timeseries("Durations", P50, P95, P99, exemplars=True, nothing="no traffic"),
                timeseries(
                    "Errors by type",
                    ERRORS_BY_TYPE,
                    legend="{{error_type}}",
                    stacked=True,
                    bars=True,
                    nothing="no errors",
                ),
                heatmap("Distribution of durations", DURATIONS, width=16),
                timeseries("p95 by host", P95, keep=(HOST,), legend="{{<host>}}"),
                timeseries("First byte p95", FIRST_BYTES, width=8),
                timeseries("Background p95", BACKGROUND, width=8),
                timeseries("Bodies", REQUEST_MEAN, RESPONSE_MEAN, width=8),
            ),
            matchers=_CHOSEN,
        ),
    ),
    (REQUEST_ROUTE, REQUEST_METHOD),
)
