"""Observability for any ASGI app: exact request metrics, right across all workers.

    app = stethoscope.install(app, service="shop")

What users call:

    install, Stethoscope               watch an app
    watch, monitor_query               watch its databases
    Counter, Gauge, Histogram, timer   metrics of their own
    request_id, forward_request_id     the correlation ID, here and in outgoing calls
    RequestIDFilter, JSONFormatter, add_request_id    the same in logs
    snapshot                           read what was recorded

What is where:

    assembly      puts all of it together around an app
    middleware    what runs on every request
    instruments   what else is measured: databases, workers, the machine, metrics of users' own
    store         recording in shared memory, and one merged snapshot of it: where those who write and those who read meet
    exporters     for Prometheus, OpenTelemetry and Sentry
    diagnosis     what is wrong, and what to change
    dashboards    the live page, its API and the metrics page
    signals       Grafana dashboards, rules and the runbook
    sidecar       what is served and sent, from a process beside the apps
    testing       the plugin for pytest
    cli           the command ``stethoscope``
    names         every metric: name, kind, unit, labels, buckets
    settings      what users can choose, with `thresholds` and `sentry_options`
    current       what the running code works for: where middleware and instruments meet without knowing each other
    sql           texts of statements, and where their literals are
    hot           which methods are compiled
    forked        what came by a fork
"""

import typing as _typing
from importlib import import_module as _import_module

from stethoscope import forked as _forked  # noqa: F401  # before any fork

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
"""Each is imported when it is first asked for: a script with metrics of its own does without all that serves."""


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(_import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
