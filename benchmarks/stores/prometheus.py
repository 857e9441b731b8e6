"""prometheus_client in multiprocess mode, with the metrics that starlette_exporter makes by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from benchmarks.workload import Traffic

DURATION: Final = "starlette_request_duration_seconds"
_LABELS: Final = ("method", "path", "status_code", "app_name")
_requests = Counter("starlette_requests_total", "Total HTTP requests", _LABELS)
_durations = Histogram(DURATION, "HTTP request duration, in seconds", _LABELS)


def record(traffic: Traffic) -> None:
    labels = ("GET", traffic.route, str(traffic.status), "starlette")
    counter, histogram = _requests.labels(*labels), _durations.labels(*labels)
    for duration in traffic.durations:
        counter.inc()
        histogram.observe(duration)


def render() -> bytes:
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
