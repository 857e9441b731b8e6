"""OpenTelemetry's ASGI middleware with no request traced, and no metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.metrics import NoOpMeterProvider

from benchmarks.contenders.traced import set_up

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def wrap(app: ASGIApp) -> ASGIApp:
    middleware: ASGIApp = OpenTelemetryMiddleware(app, tracer_provider=set_up(1e-7), meter_provider=NoOpMeterProvider())
    return middleware
