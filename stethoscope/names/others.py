"""Metrics of other projects, for dashboards that were made for them (`stethoscope.exporters.renamed`).

Names, kinds, labels and bounds are those of prometheus-fastapi-instrumentator 8.1 and starlette_exporter 0.24 with
their default settings.
"""

from __future__ import annotations

from stethoscope.names.metric import DURATION_BOUNDS, Kind, Metric

_HANDLER = ("handler",)

INSTRUMENTATOR_REQUESTS = Metric(
    "http_requests", Kind.COUNTER, "Requests by method, status and handler.", ("method", "status", "handler")
)
INSTRUMENTATOR_REQUEST_SIZE = Metric(
    "http_request_size_bytes", Kind.HISTOGRAM, "Bytes of request bodies by handler.", _HANDLER, "bytes"
)
INSTRUMENTATOR_RESPONSE_SIZE = Metric(
    "http_response_size_bytes", Kind.HISTOGRAM, "Bytes of response bodies by handler.", _HANDLER, "bytes"
)
INSTRUMENTATOR_DURATION = Metric(
    "http_request_duration_highr_seconds",
    Kind.HISTOGRAM,
    "Duration of all requests, in many buckets.",
    (),
    "seconds",
    (
        0.01,
        0.025,
        0.05,
        0.075,
        0.1,
        0.25,
        0.5,
        0.75,
        1.0,
        1.5,
        2.0,
        2.5,
        3.0,
        3.5,
        4.0,
        4.5,
        5.0,
        7.5,
        10.0,
        30.0,
        60.0,
    ),
)
INSTRUMENTATOR_DURATION_BY_HANDLER = Metric(
    "http_request_duration_seconds",
    Kind.HISTOGRAM,
    "Duration of requests by handler, in few buckets.",
    ("method", "handler"),
    "seconds",
    (0.1, 0.5, 1.0),
)
INSTRUMENTATOR_IN_PROGRESS = Metric("http_requests_inprogress", Kind.GAUGE, "Requests in progress.")

_STARLETTE = ("method", "path", "status_code", "app_name")

STARLETTE_REQUESTS = Metric("starlette_requests", Kind.COUNTER, "Requests.", _STARLETTE)
STARLETTE_DURATION = Metric(
    "starlette_request_duration_seconds",
    Kind.HISTOGRAM,
    "Duration of requests.",
    _STARLETTE,
    "seconds",
    DURATION_BOUNDS,
)
STARLETTE_REQUEST_BYTES = Metric(
    "starlette_request_body_bytes", Kind.COUNTER, "Bytes of request bodies.", _STARLETTE, "bytes"
)
STARLETTE_RESPONSE_BYTES = Metric(
    "starlette_response_body_bytes", Kind.COUNTER, "Bytes of response bodies.", _STARLETTE, "bytes"
)
STARLETTE_IN_PROGRESS = Metric(
    "starlette_requests_in_progress", Kind.GAUGE, "Requests in progress.", ("method", "app_name")
)
