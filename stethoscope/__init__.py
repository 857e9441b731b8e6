"""Observability for any ASGI app: exact request metrics, right across all workers."""

from stethoscope.current import request_id
from stethoscope.install import Stethoscope, install
from stethoscope.instruments.metrics import Counter, Gauge, Histogram
from stethoscope.instruments.monitor import monitor_query
from stethoscope.instruments.timer import timer
from stethoscope.instruments.watch import watch
from stethoscope.middleware.forwarding import forward_request_id
from stethoscope.middleware.logs import JSONFormatter, RequestIDFilter, add_request_id
from stethoscope.reading import snapshot
from stethoscope.settings import SettingsError

__all__ = [
    "Counter",
    "Gauge",
    "Histogram",
    "JSONFormatter",
    "RequestIDFilter",
    "SettingsError",
    "Stethoscope",
    "add_request_id",
    "forward_request_id",
    "install",
    "monitor_query",
    "request_id",
    "snapshot",
    "timer",
    "watch",
]
