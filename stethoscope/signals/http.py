"""Signals of requests and WebSockets: how many, how they end, how long they take."""

from __future__ import annotations

from typing import Final

from stethoscope.names import (
    ACTIVE_REQUESTS,
    ACTIVE_WEBSOCKETS,
    BACKGROUND_DURATION,
    FIRST_BYTE,
    QUEUE_DURATION,
    REQUEST_DURATION,
    REQUEST_SIZE,
    RESPONSE_SIZE,
    TIMER_DURATION,
    WEBSOCKET_BYTES,
    WEBSOCKET_DURATION,
    WEBSOCKET_MESSAGES,
)
from stethoscope.signals.promql import (
    Frame,
    amount,
    buckets,
    counted,
    level,
    mean,
    per_second,
    quantile,
    share,
    within,
)
from stethoscope.signals.signal import Signal

FAILED: Final = ('error_type!=""', 'error_type!="client_disconnect"')
"""What failed on our side. Requests whose client left are the client's."""

LEFT: Final = ('error_type="client_disconnect"',)
RAISED: Final = ('error_type!~"|[0-9]+|client_disconnect|cancelled|incomplete_response"',)
"""Ended by an exception that nobody handled."""


def failed_share(frame: Frame) -> str:
    return share(per_second(REQUEST_DURATION, frame.where(*FAILED)), per_second(REQUEST_DURATION, frame))


def left_share(frame: Frame) -> str:
    return share(per_second(REQUEST_DURATION, frame.where(*LEFT)), per_second(REQUEST_DURATION, frame))


REQUESTS: Final = Signal(
    "Requests", "How many requests come in?", "reqps", lambda frame: per_second(REQUEST_DURATION, frame)
)
REQUESTS_BY_STATUS: Final = Signal(
    "Requests by status",
    "How many requests come in, and with what status are they answered?",
    "reqps",
    lambda frame: per_second(REQUEST_DURATION, frame),
)
ERRORS: Final = Signal(
    "Errors",
    "What share of requests fails on our side: with a 5xx or an exception?",
    "percentunit",
    failed_share,
    "error_ratio",
)
LEAVING: Final = Signal(
    "Clients that left",
    "What share of clients leaves before the response is complete?",
    "percentunit",
    left_share,
    "disconnect_ratio",
)
ERRORS_BY_TYPE: Final = Signal(
    "Errors by type",
    "What goes wrong: which exceptions and statuses do requests end with?",
    "reqps",
    lambda frame: per_second(REQUEST_DURATION, frame.where(*FAILED).keep("error_type")),
)
EXCEPTIONS: Final = Signal(
    "Unhandled exceptions",
    "How many requests ended with an exception that nobody handled, in the last ten minutes?",
    "short",
    lambda frame: counted(REQUEST_DURATION, frame.where(*RAISED).keep("error_type")),
    "exceptions",
)


def _quantile(title: str, q: float, threshold: str | None = None) -> Signal:
    return Signal(
        title,
        "How long do requests take, from arrival to the last byte of the response?",
        "s",
        lambda frame: quantile(q, REQUEST_DURATION, frame),
        threshold,
    )


P50: Final = _quantile("p50", 0.5)
P95: Final = _quantile("p95", 0.95, "request_p95")
P99: Final = _quantile("p99", 0.99)
SLOW: Final = _quantile("p95", 0.95, "slow_requests")
DURATIONS: Final = Signal(
    "Durations",
    "How are the durations of requests distributed, and does the distribution have several humps?",
    "s",
    lambda frame: buckets(REQUEST_DURATION, frame),
)
TIME_SPENT: Final = Signal(
    "Time spent",
    "Where does the time go: on which routes are how many requests worked on at once, on average?",
    "short",
    lambda frame: amount(REQUEST_DURATION, frame),
)
IN_FLIGHT: Final = Signal(
    "In flight", "How many requests are being answered right now?", "short", lambda frame: level(ACTIVE_REQUESTS, frame)
)
APDEX: Final = Signal(
    "Apdex",
    "How content are users: 1 is all answered within the budget, a request within four times the budget counts half?",
    "short",
    lambda frame: apdex(0.25, 1.0, frame),
)


def apdex(content: float, bearable: float, frame: Frame) -> str:
    """Apdex index (Apdex Alliance technical specification 1.1) with bounds of buckets for its two times."""
    fast, slow = (within(bound, REQUEST_DURATION, frame) for bound in (content, bearable))
    return f"({fast} + {slow}) / 2 / ({per_second(REQUEST_DURATION, frame)} > 0)"


FIRST_BYTES: Final = Signal(
    "First byte p95",
    "How long until a response that is sent in parts begins?",
    "s",
    lambda frame: quantile(0.95, FIRST_BYTE, frame),
)
BACKGROUND: Final = Signal(
    "Background p95",
    "How long does the app go on working after a response is complete?",
    "s",
    lambda frame: quantile(0.95, BACKGROUND_DURATION, frame),
)
BACKGROUND_LOAD: Final = Signal(
    "Background work",
    "How much work is done after responses: how many background tasks run at once, on average?",
    "short",
    lambda frame: amount(BACKGROUND_DURATION, frame),
)
QUEUED: Final = Signal(
    "Queue in front p95",
    "How long are requests under way from the proxy in front until a worker takes them? More means too few workers.",
    "s",
    lambda frame: quantile(0.95, QUEUE_DURATION, frame),
)
REQUEST_BYTES: Final = Signal("Received", "How much do clients send?", "Bps", lambda frame: amount(REQUEST_SIZE, frame))
RESPONSE_BYTES: Final = Signal("Sent", "How much does the app send?", "Bps", lambda frame: amount(RESPONSE_SIZE, frame))
REQUEST_MEAN: Final = Signal(
    "Request body", "How big are the bodies of requests, on average?", "bytes", lambda frame: mean(REQUEST_SIZE, frame)
)
RESPONSE_MEAN: Final = Signal(
    "Response body",
    "How big are the bodies of responses, on average?",
    "bytes",
    lambda frame: mean(RESPONSE_SIZE, frame),
)

SOCKETS: Final = Signal(
    "Open connections",
    "How many WebSocket connections are open?",
    "short",
    lambda frame: level(ACTIVE_WEBSOCKETS, frame),
)
SOCKETS_CLOSED: Final = Signal(
    "Connections ended",
    "How do WebSocket connections end: with which close codes?",
    "cps",
    lambda frame: per_second(WEBSOCKET_DURATION, frame.keep("close_code")),
)
SOCKET_P95: Final = Signal(
    "Connection p95",
    "How long do WebSocket connections last?",
    "s",
    lambda frame: quantile(0.95, WEBSOCKET_DURATION, frame),
)
SOCKET_MESSAGES: Final = Signal(
    "Messages",
    "How many WebSocket messages pass each way?",
    "cps",
    lambda frame: per_second(WEBSOCKET_MESSAGES, frame.keep("direction")),
)
SOCKET_BYTES: Final = Signal(
    "Bytes",
    "How much passes over WebSockets each way?",
    "Bps",
    lambda frame: per_second(WEBSOCKET_BYTES, frame.keep("direction")),
)
TIMERS: Final = Signal(
    "Timer p95",
    "How long do the operations take that the app times by name?",
    "s",
    lambda frame: quantile(0.95, TIMER_DURATION, frame.keep("name")),
)
TIMED: Final = Signal(
    "Timed operations",
    "How often do the operations run that the app times by name?",
    "ops",
    lambda frame: per_second(TIMER_DURATION, frame.keep("name")),
)
