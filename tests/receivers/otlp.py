"""Receivers of OTLP that speak the official protobuf services.

    with metrics("grpc") as collector:
        …
        push = collector.next()

A receiver can be ill: ``collector.answer = Answer(429, retry_after="1")``.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from grpc import StatusCode
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.receivers.calls import abort_if_told, calls
from tests.receivers.inbox import FINE, Answer, Inbox
from tests.receivers.posts import Post, posts
from tests.receivers.tls import Identities
from tests.servers import HOST

Protocol = Literal["grpc", "http/protobuf"]


@dataclass(frozen=True, slots=True)
class Push:
    """Metrics that arrived."""

    at: float
    headers: dict[str, str]
    request: ExportMetricsServiceRequest

    @property
    def metrics(self) -> dict[str, Metric]:
        """Metrics by name."""
        return {
            metric.name: metric
            for resource in self.request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    @property
    def resource(self) -> dict[str, str]:
        return {one.key: one.value.string_value for one in self.request.resource_metrics[0].resource.attributes}


R = TypeVar("R")

REFUSED: Final = Answer(400, StatusCode.INVALID_ARGUMENT, message="no such name")


class Collector(Inbox[R], Generic[R]):
    """``endpoint`` is what ``OTEL_EXPORTER_OTLP_ENDPOINT`` has to be."""

    protocol: Protocol = "http/protobuf"
    endpoint = ""

    @property
    def environment(self) -> dict[str, str]:
        """Variables that make a process send here."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": self.protocol}


class MetricsCollector(Collector[Push]):
    """``refuses`` is the name of a metric without which a request is accepted."""

    refuses = ""

    @property
    def environment(self) -> dict[str, str]:
        """Ten times a second, and nothing but metrics."""
        return {**super().environment, "OTEL_METRIC_EXPORT_INTERVAL": "100", "OTEL_TRACES_EXPORTER": "none"}


class SpansCollector(Collector[ExportTraceServiceRequest]):
    def spans(self, count: int = 0, seconds: float = 20.0) -> list[Span]:
        """At least ``count`` spans, waited for; or what there is when the time is over."""
        self.wait_for(lambda: len(self._spans()) >= count, seconds)
        return self._spans()

    def _spans(self) -> list[Span]:
        return [
            span
            for request in self.all()
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def resources(self) -> list[dict[str, object]]:
        return [told(one.resource.attributes) for request in self.all() for one in request.resource_spans]


def told(attributes: Any) -> dict[str, object]:
    """Attributes as a dictionary."""
    pairs: list[KeyValue] = list(attributes)
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> object:
    return getattr(value, value.WhichOneof("value") or "string_value")


@contextlib.contextmanager
def metrics(protocol: Protocol, port: int = 0, identities: Identities | None = None) -> Iterator[MetricsCollector]:
    collector = MetricsCollector()

    def take(headers: dict[str, str], body: bytes) -> tuple[Answer, ExportMetricsServiceResponse]:
        push = Push(time.time(), headers, ExportMetricsServiceRequest.FromString(body))
        answer = REFUSED if collector.refuses in push.metrics else collector.take(lambda: push)
        response = ExportMetricsServiceResponse()
        if answer.rejected:
            response.partial_success.rejected_data_points = answer.rejected
            response.partial_success.error_message = answer.message
        return answer, response

    with _serving(collector, protocol, take, _add_metrics, "/v1/metrics", port, identities):
        yield collector


@contextlib.contextmanager
def spans(
    protocol: Protocol = "http/protobuf",
    port: int = 0,
    identities: Identities | None = None,
    answer: Answer = FINE,
    first: tuple[Answer, ...] = (),
) -> Iterator[SpansCollector]:
    collector = SpansCollector(answer, first)

    def take(headers: dict[str, str], body: bytes) -> tuple[Answer, ExportTraceServiceResponse]:
        return collector.take(lambda: ExportTraceServiceRequest.FromString(body)), ExportTraceServiceResponse()

    with _serving(collector, protocol, take, _add_spans, "/v1/traces", port, identities):
        yield collector


Take = Callable[[dict[str, str], bytes], tuple[Answer, Any]]


@contextlib.contextmanager
def _serving(
    collector: Collector[Any],
    protocol: Protocol,
    take: Take,
    add: Callable[[Any, Any], None],
    path: str,
    port: int,
    identities: Identities | None,
) -> Iterator[None]:
    def posted(post: Post) -> tuple[Answer, bytes]:
        if post.path != path:
            return Answer(404), b""
        answer, response = take(post.headers, post.body)
        return answer, response.SerializeToString()

    def called(request: Any, context: Any) -> Any:
        headers = {key: str(value) for key, value in context.invocation_metadata()}
        answer, response = take(headers, request.SerializeToString())
        abort_if_told(answer, context)
        return response

    if protocol == "grpc":
        server = calls(lambda server: add(called, server), port, None if identities is None else identities.for_grpc())
    else:
        server = posts(posted, port=port, tls=None if identities is None else identities.for_http())
    with server as bound:
        collector.protocol = protocol
        collector.endpoint = f"{'http' if identities is None else 'https'}://{HOST}:{bound}"
        try:
            yield
        finally:
            collector.let_go()


def _add_metrics(called: Callable[[Any, Any], Any], server: Any) -> None:
    class Servicer(MetricsServiceServicer):
        def Export(self, request: ExportMetricsServiceRequest, context: Any) -> ExportMetricsServiceResponse:  # noqa: N802 - the service's name
            response: ExportMetricsServiceResponse = called(request, context)
            return response

    add_MetricsServiceServicer_to_server(Servicer(), server)  # type: ignore[no-untyped-call]  # generated


def _add_spans(called: Callable[[Any, Any], Any], server: Any) -> None:
    class Servicer(TraceServiceServicer):
        def Export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:  # noqa: N802 - the service's name
            response: ExportTraceServiceResponse = called(request, context)
            return response

    add_TraceServiceServicer_to_server(Servicer(), server)  # type: ignore[no-untyped-call]  # generated
