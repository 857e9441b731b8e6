"""OTLP receivers: real servers of the official protobuf services, over HTTP and gRPC, on a free loopback port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Received:
    """What has arrived so far, and a way to wait for it."""

    def __init__(self, address: str = "") -> None:
        self._changed = threading.Condition()
        self._requests: list[ExportTraceServiceRequest] = []
        self.address = address
        self.attempts = 0

    def add(self, request: ExportTraceServiceRequest) -> None:
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def attempted(self) -> None:
        with self._changed:
            self.attempts += 1
            self._changed.notify_all()

    def spans(self, count: int = 0, seconds: float = 20.0) -> list[Span]:
        """At least ``count`` spans, waited for; or what there is when the time is over."""
        deadline = monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: len(self._all()) >= count, deadline - monotonic())
            return self._all()

    def wait_for_attempts(self, count: int, seconds: float = 20.0) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.attempts >= count, seconds)

    def resources(self) -> list[dict[str, object]]:
        with self._changed:
            return [told(one.resource.attributes) for request in self._requests for one in request.resource_spans]

    def _all(self) -> list[Span]:
        return [
            span
            for request in self._requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


def told(attributes: Any) -> dict[str, object]:
    """Attributes as a dictionary."""
    pairs: list[KeyValue] = list(attributes)
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> object:
    return getattr(value, value.WhichOneof("value") or "string_value")


Answer = Callable[[BaseHTTPRequestHandler], bool]
"""What a receiver does with a request whose body has been read; returns whether it has accepted it."""


def accept(handler: BaseHTTPRequestHandler) -> bool:
    body = ExportTraceServiceResponse().SerializeToString()
    handler.send_response(200)
    handler.send_header("content-type", "application/x-protobuf")
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
    return True


def refuse(status: int, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> bool:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", "0")
        handler.end_headers()
        return False

    return answer


@contextmanager
def http_receiver(answer: Answer = accept, port: int = 0) -> Iterator[Received]:
    """``received.address`` is what ``OTEL_EXPORTER_OTLP_ENDPOINT`` has to be. Only what is accepted has arrived."""
    received = Received()
    connections: list[socket.socket] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            connections.append(self.connection)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.attempted()
            if answer(self) and self.path == "/v1/traces":
                received.add(ExportTraceServiceRequest.FromString(body))

        def log_message(self, format: str, *arguments: object) -> None:
            """Not into the tests' output."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    received.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        for connection in connections:  # kept alive, they would go on receiving
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def grpc_receiver() -> Iterator[Received]:
    received = Received()

    class Servicer(TraceServiceServicer):
        def Export(self, request: ExportTraceServiceRequest, context: object) -> ExportTraceServiceResponse:  # noqa: N802 - the service's name
            received.add(request)
            return ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    add_TraceServiceServicer_to_server(Servicer(), server)  # type: ignore[no-untyped-call]  # generated
    port = server.add_insecure_port("127.0.0.1:0")
    received.address = f"http://127.0.0.1:{port}"
    server.start()
    try:
        yield received
    finally:
        server.stop(None).wait()
