"""An app with a layer that makes server spans with a provider of its own, and the spans that have ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import SpanContext

from stethoscope.asgi import ASGIApp, Message, Scope
from stethoscope.exporters.tracing.joining import watch
from stethoscope.exporters.tracing.server_spans import ServerSpans
from stethoscope.middleware.layer import Layer
from stethoscope.settings import Settings
from tests.middleware.scripted import Client, Records, http_scope, run

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


class Traced:
    """The SDK's own provider, sampler and in-memory exporter: nothing stands in for them."""

    def __init__(self, sampler: Sampler | None = None, ids: IdGenerator | None = None) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler, id_generator=ids, shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer("tests")
        watch(self.provider)

    def around(self, records: Records, app: ASGIApp, settings: Settings | None = None) -> Layer:
        settings = settings or Settings()
        layer = Layer(app, records.recorder, settings)
        layer.appoint([ServerSpans(layer, settings, self.provider.get_tracer("stethoscope"))])
        return layer

    def call(
        self,
        records: Records,
        app: ASGIApp,
        scope: Scope | None = None,
        *incoming: Message,
        settings: Settings | None = None,
    ) -> Client:
        return run(self.around(records, app, settings), scope, *incoming)

    def spans(self) -> list[ReadableSpan]:
        """In the order in which they ended."""
        return list(self._exporter.get_finished_spans())

    def span(self) -> ReadableSpan:
        (one,) = self.spans()
        return one


def told(span: ReadableSpan) -> Mapping[str, object]:
    return span.attributes or {}


def context(span: ReadableSpan) -> SpanContext:
    return cast("SpanContext", span.context)


def with_parent(*, sampled: bool = True, **more: bytes) -> Scope:
    traceparent = f"00-{TRACE}-{PARENT}-0{int(sampled)}".encode()
    headers = [(b"host", b"shop:8000"), (b"traceparent", traceparent)]
    return http_scope(headers=[*headers, *((name.encode(), value) for name, value in more.items())])
