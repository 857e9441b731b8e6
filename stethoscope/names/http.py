"""Metrics of HTTP requests and WebSocket connections."""

from __future__ import annotations

from stethoscope.names.metric import Kind, Metric, seconds, sizes

UNMATCHED_ROUTE = "__unmatched__"
OTHER_METHOD = "_OTHER"

_EXCHANGE = ("http_request_method", "http_route", "http_response_status_code", "url_scheme", "error_type")
_ROUTE = ("http_request_method", "http_route", "url_scheme")
_SOCKET = ("http_route", "url_scheme", "error_type")

REQUEST_DURATION = seconds(
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
REQUEST_SIZE = sizes(
    "http_server_request_body_size_bytes",
    "Bytes of request bodies that the app read. Requests without any are not counted.",
    _EXCHANGE,
    "http.server.request.body.size",
)
RESPONSE_SIZE = sizes(
    "http_server_response_body_size_bytes",
    "Bytes of response bodies that the app sent, before any transfer encoding.",
    _EXCHANGE,
    "http.server.response.body.size",
)
FIRST_BYTE = seconds(
    "stethoscope_http_server_time_to_first_byte_seconds",
    "Time from the arrival of a request to the start of its response, for responses sent in several parts. "
    "For all others it is the request's duration.",
    _ROUTE,
    "stethoscope.http.server.time_to_first_byte",
)
BACKGROUND_DURATION = seconds(
    "stethoscope_http_server_background_duration_seconds",
    "Time that the app went on working for a request after its response was complete (above 1 ms), such as background tasks.",
    (*_ROUTE, "error_type"),
    "stethoscope.http.server.background.duration",
)
QUEUE_DURATION = seconds(
    "stethoscope_http_server_queue_duration_seconds",
    "Time that requests were under way from the proxy in front, which says in X-Request-Start or X-Queue-Start when it had them.",
    (),
    "stethoscope.http.server.queue.duration",
)
REFUSED_QUEUE_TIMES = Metric(
    "stethoscope_http_server_refused_queue_times",
    Kind.COUNTER,
    "Values of X-Request-Start and X-Queue-Start that were not believed, by reason (future, old, unreadable).",
    ("reason",),
    otel="stethoscope.http.server.refused_queue_times",
)
ACTIVE_WEBSOCKETS = Metric(
    "stethoscope_websocket_active_connections",
    Kind.GAUGE,
    "WebSocket connections that are open or being opened.",
    ("url_scheme",),
    otel="stethoscope.websocket.active_connections",
)
WEBSOCKET_DURATION = seconds(
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
