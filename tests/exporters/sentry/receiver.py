"""A real HTTP server that takes Sentry's envelopes, on a free loopback port."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Event = dict[str, Any]
Answer = Callable[[BaseHTTPRequestHandler], bool]
"""What the server does with an envelope that has been read; returns whether it has accepted it."""


class Received:
    """Items of the envelopes that have arrived so far, and a way to wait for them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: list[tuple[str, Event]] = []
        self.attempts = 0
        self.dsn = ""

    def attempted(self) -> None:
        with self._changed:
            self.attempts += 1
            self._changed.notify_all()

    def add(self, envelope: bytes) -> None:
        with self._changed:
            self._items += items_of(envelope)
            self._changed.notify_all()

    def errors(self, count: int = 0, seconds: float = 20.0) -> list[Event]:
        """At least ``count`` events of errors, waited for; or what there is when the time is over."""
        return self._wait("event", count, seconds)

    def transactions(self, count: int = 0, seconds: float = 20.0) -> list[Event]:
        return self._wait("transaction", count, seconds)

    def wait_for_attempts(self, count: int, seconds: float = 20.0) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.attempts >= count, seconds)

    def _wait(self, kind: str, count: int, seconds: float) -> list[Event]:
        with self._changed:
            self._changed.wait_for(lambda: len(self._of(kind)) >= count, seconds)
            return self._of(kind)

    def _of(self, kind: str) -> list[Event]:
        return [payload for found, payload in self._items if found == kind]


def items_of(envelope: bytes) -> Iterator[tuple[str, Event]]:
    """Type and payload of each item (Sentry developer documentation, "Envelopes")."""
    _, _, rest = envelope.partition(b"\n")
    while rest.strip():
        line, _, rest = rest.partition(b"\n")
        header = json.loads(line)
        length = header.get("length", rest.find(b"\n") if b"\n" in rest else len(rest))
        payload, rest = rest[:length], rest[length:].removeprefix(b"\n")
        yield header["type"], json.loads(payload)


def accept(handler: BaseHTTPRequestHandler) -> bool:
    handler.send_response(200)
    handler.send_header("content-length", "2")
    handler.end_headers()
    handler.wfile.write(b"{}")
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
def sentry(answer: Answer = accept) -> Iterator[Received]:
    """``received.dsn`` is what ``SENTRY_DSN`` has to be. Only what is accepted has arrived."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            received.attempted()
            if answer(self) and self.path == "/api/1/envelope/":
                received.add(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Not into the tests' output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    received.dsn = f"http://key@127.0.0.1:{server.server_port}/1"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
