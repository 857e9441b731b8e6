"""prometheus-fastapi-instrumentator with the defaults of `Instrumentator().instrument(app)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_fastapi_instrumentator.middleware import PrometheusInstrumentatorMiddleware

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def wrap(app: ASGIApp) -> ASGIApp:
    return PrometheusInstrumentatorMiddleware(app)
