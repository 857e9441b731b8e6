"""Receivers of OTLP metrics that speak the official protobuf services, in this process, on a free loopback port.

    with receiver("grpc") as collector:
        …
        request = collector.next()

A receiver can be told to be ill: ``collector.answers(refuse(429, retry_after=1))``.
"""

from __future__ import annotations

import contextlib
import gzip
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from tests.servers import HOST, free_port

Protocol = Literal["grpc", "http/protobuf"]

PATIENCE = 20.0
"""Seconds after which a test gives up on what must come."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answers. ``hang`` is how long it lets its clients wait for that, ``half`` breaks off in the middle."""

    status: int = 200
    grpc_status: Any = None
    rejected: int = 0
    message: str = ""
    retry_after: str = ""
    half: bool = False
    hang: threading.Event | None = None


FINE = Answer()


@dataclass(slots=True)
class Received:
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


@dataclass(slots=True)
class Collector:
    """What came in, and what is answered from now on."""

    protocol: Protocol
    port: int
    answer: Answer = FINE
    accepted: queue.Queue[Received] = field(default_factory=queue.Queue)
    asked: queue.Queue[float] = field(default_factory=queue.Queue)
    """When requests came, accepted or not."""

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables that make a process push metrics here, ten times a second, and nothing else."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": self.protocol,
            "OTEL_METRIC_EXPORT_INTERVAL": "100",
            "OTEL_TRACES_EXPORTER": "none",
        }

    def next(self) -> Received:
        """The next request that was accepted, waiting for it. Raises queue.Empty when none comes."""
        return self.accepted.get(timeout=PATIENCE)

    def until(self, fits: Callable[[Received], bool]) -> Received:
        """The next accepted request that ``fits``."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            received = self.next()
            if fits(received):
                return received
        raise AssertionError("nothing that fits was received")

    def left(self) -> list[Received]:
        """All that was accepted and not looked at yet."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self.accepted.get_nowait())
        return found

    def take(self, headers: dict[str, str], body: bytes) -> Answer:
        answer = self.answer
        self.asked.put(time.monotonic())
        if answer.hang is not None:
            answer.hang.wait(PATIENCE * 3)
        if answer.status < 300 and answer.grpc_status is None and not answer.half:
            self.accepted.put(Received(time.time(), headers, ExportMetricsServiceRequest.FromString(body)))
        return answer


@contextlib.contextmanager
def receiver(protocol: Protocol, port: int = 0) -> Iterator[Collector]:
    collector = Collector(protocol, port or free_port())
    with (_grpc if protocol == "grpc" else _http)(collector):
        yield collector


@contextlib.contextmanager
def _grpc(collector: Collector) -> Iterator[None]:
    class Servicer(MetricsServiceServicer):
        def Export(self, request: ExportMetricsServiceRequest, context: Any) -> ExportMetricsServiceResponse:  # noqa: N802
            headers = {key: str(value) for key, value in context.invocation_metadata()}
            answer = collector.take(headers, request.SerializeToString())
            if answer.grpc_status is not None:
                if answer.retry_after:
                    context.set_trailing_metadata((("google.rpc.retryinfo-bin", _retry_info(answer.retry_after)),))
                context.abort(answer.grpc_status, answer.message)
            return _response(answer)

    server = grpc.server(ThreadPoolExecutor(8))
    add_MetricsServiceServicer_to_server(Servicer(), server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(f"{HOST}:{collector.port}")
    server.start()
    try:
        yield
    finally:
        if collector.answer.hang is not None:
            collector.answer.hang.set()
        server.stop(0).wait(PATIENCE)


def _retry_info(seconds: str) -> bytes:
    from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]

    info = RetryInfo()
    info.retry_delay.seconds = int(seconds)
    return bytes(info.SerializeToString())


def _response(answer: Answer) -> ExportMetricsServiceResponse:
    response = ExportMetricsServiceResponse()
    if answer.rejected:
        response.partial_success.rejected_data_points = answer.rejected
        response.partial_success.error_message = answer.message
    return response


@contextlib.contextmanager
def _http(collector: Collector) -> Iterator[None]:
    connections: list[socket.socket] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            connections.append(self.request)
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            headers = {key.lower(): value for key, value in self.headers.items()} | {":path": self.path}
            answer = collector.take(headers, body)
            data = _response(answer).SerializeToString()
            if answer.hang is not None:
                return  # whoever asked has given up
            self.send_response(answer.status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(data) + 100 * answer.half))
            if answer.retry_after:
                self.send_header("retry-after", answer.retry_after)
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = self.close_connection or answer.half

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST, collector.port), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        if collector.answer.hang is not None:
            collector.answer.hang.set()
        server.shutdown()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        server.server_close()
        thread.join(PATIENCE)
