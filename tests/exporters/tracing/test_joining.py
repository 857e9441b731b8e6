"""Other layers that make server spans: one for each request, with what each of us knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.opentelemetry import OpenTelemetryMiddleware as StarlettesMiddleware
from starlette.routing import Mount

import stethoscope
from stethoscope.asgi import ASGIApp
from stethoscope.exporters.later import Later
from stethoscope.exporters.tracing.server_spans import ServerSpans
from stethoscope.middleware.layer import Layer
from stethoscope.settings import Settings
from stethoscope.thresholds import Thresholds
from tests.exporters.tracing.spans import Traced, told

Make = Callable[[TracerProvider], tuple[Any, Layer]]
"""What is served, and the layer in it."""


def _fastapi(provider: TracerProvider | None) -> FastAPI:
    app = FastAPI(
        telemetry={"tracer_provider": provider, "metrics": False, "logs": False}
        if provider
        else {"tracing": False, "metrics": False, "logs": False}
    )

    @app.get("/items/{number}")
    async def item(number: int) -> int:
        if number == 0:
            raise RuntimeError("none")
        return number

    return app


def _installed(app: Any) -> Layer:
    stethoscope.install(app, tracing=False)
    stack = app.build_middleware_stack
    layer: Layer = stack.layer
    return layer


def native_outside(provider: TracerProvider) -> tuple[Any, Layer]:
    app = _fastapi(provider)
    return app, _installed(app)


def native_inside(provider: TracerProvider) -> tuple[Any, Layer]:
    layer = stethoscope.Stethoscope(_fastapi(provider), tracing=False)
    return layer, layer


def native_mounted(provider: TracerProvider) -> tuple[Any, Layer]:
    layer = stethoscope.Stethoscope(Starlette(routes=[Mount("/sub", _fastapi(provider))]), tracing=False)
    return layer, layer


def contrib_outside(provider: TracerProvider) -> tuple[Any, Layer]:
    layer = stethoscope.Stethoscope(_fastapi(None), tracing=False)
    return OpenTelemetryMiddleware(layer, tracer_provider=provider, exclude_spans=["send", "receive"]), layer


def contrib_inside(provider: TracerProvider) -> tuple[Any, Layer]:
    inner = OpenTelemetryMiddleware(_fastapi(None), tracer_provider=provider, exclude_spans=["send", "receive"])
    layer = stethoscope.Stethoscope(inner, tracing=False)
    return layer, layer


def contrib_for_fastapi(provider: TracerProvider) -> tuple[Any, Layer]:
    app = _fastapi(None)
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, exclude_spans=["send", "receive"])
    return app, _installed(app)


def starlettes_inside(provider: TracerProvider) -> tuple[Any, Layer]:
    inner = _fastapi(None)
    middleware = [Middleware(StarlettesMiddleware, tracer_provider=provider)]
    layer = stethoscope.Stethoscope(Starlette(routes=[Mount("/sub", inner)], middleware=middleware), tracing=False)
    return layer, layer


ALL = [
    native_outside,
    native_inside,
    native_mounted,
    contrib_outside,
    contrib_inside,
    contrib_for_fastapi,
    starlettes_inside,
]
INSIDE = [native_inside, contrib_inside, contrib_for_fastapi, starlettes_inside]
"""Those that are found in the app's stack."""
MOUNTED = (native_mounted, starlettes_inside)


def calls(make: Make, traced: Traced, *numbers: int, settings: Settings | None = None) -> list[str]:
    """Calls the app, and returns the request IDs."""
    app, layer = make(traced.provider)
    prefix = "/sub" if make in MOUNTED else ""
    settings = settings or Settings()

    async def call() -> list[str]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return [(await client.get(f"{prefix}/items/{number}")).headers["x-request-id"] for number in numbers]

    # The layer of these tests has a provider of its own instead of the one global one.
    layer.appoint([Later(layer, lambda: ServerSpans(layer, settings, traced.provider.get_tracer("stethoscope")))])
    return asyncio.run(call())


def servers(traced: Traced) -> list[ReadableSpan]:
    return [span for span in traced.spans() if span.kind is SpanKind.SERVER]


@pytest.fixture(autouse=True)
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STETHOSCOPE_DIR", str(tmp_path / "segments"))
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http")


@pytest.mark.parametrize("make", ALL)
def test_each_request_has_one_server_span_that_says_what_both_know(make: Make) -> None:
    traced = Traced()
    ids = calls(make, traced, 1, 2)
    spans = servers(traced)
    assert [told(span)["stethoscope.request.id"] for span in spans] == ids
    # FastAPI knows nothing of what it is mounted in, but it is its own to say.
    route = "/sub/items/{number}" if make is starlettes_inside else "/items/{number}"
    assert {told(span)["http.route"] for span in spans} == {route}
    assert {span.name for span in spans} == {f"GET {route}"}
    assert {span.instrumentation_scope.name for span in spans if span.instrumentation_scope} != {"stethoscope"}


@pytest.mark.parametrize("make", ALL)
def test_failed_request_has_one_server_span_too(make: Make) -> None:
    traced = Traced()
    calls(make, traced, 0)
    assert len(servers(traced)) == 1


@pytest.mark.parametrize("make", [make for make in ALL if make not in INSIDE])
def test_failed_request_that_they_do_not_sample_is_kept_once(make: Make) -> None:
    traced = Traced(ALWAYS_OFF)
    calls(make, traced, 0, 1)
    (span,) = servers(traced)
    assert told(span)["stethoscope.sampling.kept"] == "error"


@pytest.mark.parametrize("make", INSIDE)
def test_failed_request_that_a_layer_inside_does_not_sample_is_not_kept_in_another_trace(make: Make) -> None:
    traced = Traced(ALWAYS_OFF)
    calls(make, traced, 0, 1)
    assert servers(traced) == []


def test_what_they_were_told_to_leave_out_is_left_out() -> None:
    def make(provider: TracerProvider) -> tuple[ASGIApp, Layer]:
        inner = OpenTelemetryMiddleware(_fastapi(None), tracer_provider=provider, excluded_urls="items")
        layer = stethoscope.Stethoscope(inner, tracing=False)
        return layer, layer

    traced = Traced()
    calls(make, traced, 0, 1, settings=Settings(thresholds=Thresholds.resolve({"request_p95": (1e-9, 1.0)})))
    assert traced.spans() == []
