"""Every metric that Stethoscope emits: the one table that exposition, docs, dashboards and tests read.

Names follow the OpenTelemetry semantic conventions (HTTP metrics, v1.37) in their official Prometheus
translation; what the conventions have no name for is ``stethoscope_…``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Merge(StrEnum):
    """How one gauge series of several workers becomes one value.

    ``live…`` modes look at living workers only. The others keep the last value of workers that
    have ended. ``ALL`` and ``LIVEALL`` do not merge: each living worker is a series of its own,
    told apart by a ``pid`` label.
    """

    ALL = "all"
    LIVEALL = "liveall"
    SUM = "sum"
    LIVESUM = "livesum"
    MIN = "min"
    LIVEMIN = "livemin"
    MAX = "max"
    LIVEMAX = "livemax"
    MOSTRECENT = "mostrecent"
    LIVEMOSTRECENT = "livemostrecent"


PER_WORKER = frozenset((Merge.ALL, Merge.LIVEALL))
"""Modes in which the series of workers are not merged."""


_SUFFIXES = {
    Kind.COUNTER: ("", "_total", "_created"),
    Kind.GAUGE: ("",),
    Kind.HISTOGRAM: ("", "_bucket", "_count", "_sum", "_created"),
}


class Metric(NamedTuple):
    """What is fixed about a metric, whoever records it.

    ``name`` is the Prometheus family name without ``_total``; ``otel`` the name in OpenTelemetry
    form; ``unit`` a base unit ("seconds", "bytes") or empty; ``bounds`` the inclusive upper bounds of
    a histogram's explicit buckets, ascending, without infinity.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    bounds: tuple[float, ...] = ()
    merge: Merge = Merge.LIVESUM
    otel: str = ""

    @property
    def sample_names(self) -> tuple[str, ...]:
        """The family's name and all that its samples can have, in any exposition format."""
        return tuple([self.name + suffix for suffix in _SUFFIXES[self.kind]])


OVERFLOW_LABEL = "otel_metric_overflow"
"""Label of the one series that takes what a metric's series cap refuses (OpenTelemetry metrics SDK, "Overflow attribute")."""

UNMATCHED_ROUTE = "__unmatched__"
OTHER_METHOD = "_OTHER"

# HTTP semantic conventions, "Metric: http.server.request.duration", explicit bucket boundaries.
DURATION_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
SIZE_BOUNDS = (1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8)

_EXCHANGE = ("http_request_method", "http_route", "http_response_status_code", "url_scheme", "error_type")
_ROUTE = ("http_request_method", "http_route", "url_scheme")
_SOCKET = ("http_route", "url_scheme", "error_type")


def _seconds(name: str, help: str, labels: tuple[str, ...], otel: str = "") -> Metric:
    return Metric(name, Kind.HISTOGRAM, help, labels, "seconds", DURATION_BOUNDS, otel=otel)


def _bytes(name: str, help: str, labels: tuple[str, ...], otel: str = "") -> Metric:
    return Metric(name, Kind.HISTOGRAM, help, labels, "bytes", SIZE_BOUNDS, otel=otel)


REQUEST_DURATION = _seconds(
    "http_server_request_duration_seconds",
    "Time from the arrival of a request to the last byte of its response, without background tasks.",
    _EXCHANGE,
    "http.server.request.duration",
)
ACTIVE_REQUESTS = Metric(
    "http_server_active_requests",
    Kind.GAUGE,
    "Requests whose response is not complete yet.",
    ("http_request_method", "url_scheme"),
    otel="http.server.active_requests",
)
REQUEST_SIZE = _bytes(
    "http_server_request_body_size_bytes",
    "Bytes of request bodies that the app read. Requests without any are not counted.",
    _EXCHANGE,
    "http.server.request.body.size",
)
RESPONSE_SIZE = _bytes(
    "http_server_response_body_size_bytes",
    "Bytes of response bodies that the app sent, before any transfer encoding.",
    _EXCHANGE,
    "http.server.response.body.size",
)
FIRST_BYTE = _seconds(
    "stethoscope_http_server_time_to_first_byte_seconds",
    "Time from the arrival of a request to the start of its response, for responses sent in several parts. "
    "For all others it is the request's duration.",
    _ROUTE,
    "stethoscope.http.server.time_to_first_byte",
)
BACKGROUND_DURATION = _seconds(
    "stethoscope_http_server_background_duration_seconds",
    "Time that the app went on working for a request after its response was complete (above 1 ms), such as background tasks.",
    (*_ROUTE, "error_type"),
    "stethoscope.http.server.background.duration",
)
ACTIVE_WEBSOCKETS = Metric(
    "stethoscope_websocket_active_connections",
    Kind.GAUGE,
    "WebSocket connections that are open or being opened.",
    ("url_scheme",),
    otel="stethoscope.websocket.active_connections",
)
WEBSOCKET_DURATION = _seconds(
    "stethoscope_websocket_connection_duration_seconds",
    "Time from a WebSocket handshake to the end of its connection, with the close code that ended it.",
    (*_SOCKET, "close_code"),
    "stethoscope.websocket.connection.duration",
)
WEBSOCKET_MESSAGES = Metric(
    "stethoscope_websocket_messages",
    Kind.COUNTER,
    "WebSocket messages that passed, by direction as the app sees it (receive, send).",
    ("http_route", "direction"),
    otel="stethoscope.websocket.messages",
)
WEBSOCKET_BYTES = Metric(
    "stethoscope_websocket_message_bytes",
    Kind.COUNTER,
    "Payload bytes of WebSocket messages that passed (UTF-8 length for text), by direction as the app sees it.",
    ("http_route", "direction"),
    "bytes",
    otel="stethoscope.websocket.message.bytes",
)
TIMER_DURATION = _seconds(
    "stethoscope_timer_duration_seconds",
    "Duration of operations timed by name with stethoscope.timer().",
    ("name", "error_type"),
    "stethoscope.timer.duration",
)

INTERNAL_ERRORS = Metric(
    "stethoscope_internal_errors",
    Kind.COUNTER,
    "Failures of Stethoscope itself; none of them reached the app.",
    ("where",),
    otel="stethoscope.internal.errors",
)
REFUSED_OBSERVATIONS = Metric(
    "stethoscope_refused_observations",
    Kind.COUNTER,
    "Observations that were no number, infinite or negative where that has no meaning, and were not recorded.",
    ("metric",),
    otel="stethoscope.refused.observations",
)
OVERFLOWED_SERIES = Metric(
    "stethoscope_overflowed_series",
    Kind.COUNTER,
    "Label sets that were recorded in the overflow series because their metric had reached its cap of series.",
    ("metric",),
    otel="stethoscope.overflowed.series",
)
DROPPED_OBSERVATIONS = Metric(
    "stethoscope_dropped_observations",
    Kind.COUNTER,
    "Observations lost because the store could not grow (shared memory or disk full).",
    (),
    otel="stethoscope.dropped.observations",
)
WORKERS = Metric(
    "stethoscope_workers", Kind.GAUGE, "Living processes that record into this service.", otel="stethoscope.workers"
)
STORE_SIZE = Metric(
    "stethoscope_store_size_bytes",
    Kind.GAUGE,
    "Bytes of shared memory reserved for this service.",
    (),
    "bytes",
    otel="stethoscope.store.size",
)
SKIPPED_SEGMENTS = Metric(
    "stethoscope_skipped_segments",
    Kind.GAUGE,
    "Files in the service's folder that were not read because they are damaged, foreign or of another version.",
    ("reason",),
    otel="stethoscope.skipped.segments",
)
PRIVATE_STORE = Metric(
    "stethoscope_private_store",
    Kind.GAUGE,
    "1 where the answering worker could not use shared memory, so that other workers do not see its numbers.",
    otel="stethoscope.private_store",
)

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""All metrics of the package, in the order of this file."""
