"""Observability for any ASGI app: exact request metrics, right across all workers."""

import typing as _typing
from importlib import import_module as _import_module

if _typing.TYPE_CHECKING:
    from stethoscope.assembly import Stethoscope, install
    from stethoscope.current import request_id
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

_MODULES = {
    "Counter": "instruments.metrics",
    "Gauge": "instruments.metrics",
    "Histogram": "instruments.metrics",
    "JSONFormatter": "middleware.logs",
    "RequestIDFilter": "middleware.logs",
    "SettingsError": "settings",
    "Stethoscope": "assembly",
    "add_request_id": "middleware.logs",
    "forward_request_id": "middleware.forwarding",
    "install": "assembly",
    "monitor_query": "instruments.monitor",
    "request_id": "current",
    "snapshot": "reading",
    "timer": "instruments.timer",
    "watch": "instruments.watch",
}
"""Imported when it is asked for: a script with metrics of its own does without all that serves."""


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(_import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
