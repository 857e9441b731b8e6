"""A real HTTP server that takes what is posted, on a free loopback port."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.receivers.inbox import Answer
from tests.servers import HOST


@dataclass(frozen=True, slots=True)
class Post:
    path: str
    headers: dict[str, str]
    """By their lower-case names."""
    body: bytes
    """As it was before it was compressed."""


Take = Callable[[Post], tuple[Answer, bytes]]
"""Returns what to answer, and the body of that."""


@contextlib.contextmanager
def posts(
    take: Take, content_type: str = "application/x-protobuf", port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """The port. When the block ends, connections end too: kept alive, they would go on receiving."""
    server = _Server(take, content_type, port)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        for connection in server.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, take: Take, content_type: str, port: int) -> None:
        super().__init__((HOST, port), _Handler)
        self.take = take
        self.content_type = content_type
        self.connections: list[socket.socket] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # In one piece: the second would wait for the client's acknowledgement of the first, which takes its time.
    wbufsize = -1

    def setup(self) -> None:
        self.server.connections.append(self.request)
        super().setup()

    def do_POST(self) -> None:
        answer, body = self.server.take(self._read())
        if answer.hang is not None:
            return  # whoever asked has given up
        self.send_response(answer.status)
        self.send_header("content-type", self.server.content_type)
        self.send_header("content-length", str(len(body) + 100 * answer.half))
        if answer.retry_after:
            self.send_header("retry-after", answer.retry_after)
        if answer.location:
            self.send_header("location", answer.location)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.close_connection or answer.half

    def _read(self) -> Post:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        return Post(self.path, {name.lower(): value for name, value in self.headers.items()}, body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Not into the tests' output."""
