"""Apps that another layer measures as well, and sends over OTLP: FastAPI's own telemetry, and contrib's instrumentation."""

from __future__ import annotations

from fastapi import FastAPI
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

import stethoscope


def _shop(*, native: bool) -> FastAPI:
    app = FastAPI(telemetry={"auto_configure": native, "metrics": native})

    @app.get("/")
    def item() -> str:
        return "1"

    return app


def native() -> FastAPI:
    """Configured by the environment, when it starts."""
    return stethoscope.install(_shop(native=True), service="shop")


def contrib() -> FastAPI:
    app = _shop(native=False)
    provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
    FastAPIInstrumentor.instrument_app(app, meter_provider=provider)
    return stethoscope.install(app, service="shop")
