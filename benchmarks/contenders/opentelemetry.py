"""OpenTelemetry's ASGI middleware with the SDK's metrics, read by its Prometheus exporter.

Traces stay off (no tracer provider is configured): what is compared is the making of metrics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.metrics import MeterProvider

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def wrap(app: ASGIApp) -> ASGIApp:
    provider = MeterProvider(metric_readers=[PrometheusMetricReader()])
    middleware: ASGIApp = OpenTelemetryMiddleware(app, meter_provider=provider)
    return middleware
