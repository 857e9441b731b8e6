"""Scripted calls of an app with a layer around it, and what was recorded of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from pathlib import Path

import anyio

from stethoscope import names
from stethoscope.asgi import ASGIApp, Message, Receive, Scope, Send
from stethoscope.middleware.exchange import Exchange
from stethoscope.middleware.layer import Layer
from stethoscope.names import Metric
from stethoscope.settings import Settings
from stethoscope.store.distribution import Distribution
from stethoscope.store.folder import Folder
from stethoscope.store.recorder import Recorder

Labels = tuple[str, ...]

START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
BODY: Message = {"type": "http.response.body", "body": b"hello"}
DISCONNECT: Message = {"type": "http.disconnect"}


def start(status: int = 200, headers: object = (), **more: object) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers, **more}


def body(content: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


def request(content: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.request", "body": content, "more_body": more}


def http_scope(method: str = "GET", path: str = "/", **more: object) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(errors="surrogatepass"),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"test")],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        **more,
    }


def websocket_scope(path: str = "/", **more: object) -> Scope:
    scope = http_scope("GET", path, scheme="ws", subprotocols=[])
    del scope["method"]
    return {**scope, "type": "websocket", **more}


class Clock:
    """Stands still unless a test moves it. In steps of powers of two, sums of seconds are exact."""

    def __init__(self) -> None:
        self.now = 1024.0

    def __call__(self) -> float:
        return self.now


class Never:
    """What is awaited here does not come, on any event loop."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Client:
    """The server's side of one call: gives the messages it was made with, then waits; keeps those that it gets."""

    def __init__(self, *incoming: Message) -> None:
        self.incoming = list(incoming)
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        if not self.incoming:
            await anyio.sleep_forever()
        return self.incoming.pop(0)

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Of the response's start."""
        return list(self.sent[0]["headers"])

    def values(self, name: bytes) -> list[bytes]:
        return [value for given, value in self.headers if given.lower() == name]


class Records:
    """A recorder with a folder of its own, and what is in it. A series that counts nothing is left out."""

    def __init__(self, directory: Path) -> None:
        self.recorder = Recorder("test", lambda: Folder(str(directory / "segments")))

    def around(self, app: ASGIApp, settings: Settings | None = None) -> Layer:
        return Layer(app, self.recorder, settings or Settings())

    def numbers(self, metric: Metric) -> dict[Labels, float]:
        """Counters and gauges."""
        found: dict[Labels, float] = {}
        for series in self.recorder.snapshot().family(metric).series:
            assert isinstance(series.value, float)
            found[series.labels] = series.value
        return {labels: value for labels, value in found.items() if value}

    def distributions(self, metric: Metric) -> dict[Labels, Distribution]:
        found: dict[Labels, Distribution] = {}
        for series in self.recorder.snapshot().family(metric).series:
            assert isinstance(series.value, Distribution)
            found[series.labels] = series.value
        return {labels: value for labels, value in found.items() if value.count}

    def counts(self, metric: Metric) -> dict[Labels, int]:
        return {labels: distribution.count for labels, distribution in self.distributions(metric).items()}

    def sums(self, metric: Metric) -> dict[Labels, float]:
        return {labels: distribution.sum for labels, distribution in self.distributions(metric).items()}

    def total(self, metric: Metric) -> int:
        return sum(self.counts(metric).values())

    def sum(self, metric: Metric) -> float:
        return sum(self.sums(metric).values())

    def outcomes(self) -> dict[tuple[str, str], int]:
        """Requests by status and error type. Nothing is in flight, on any label set, when this is asked."""
        assert self.numbers(names.ACTIVE_REQUESTS) == {}
        found: Counter[tuple[str, str]] = Counter()
        for (_, _, status, _, error), count in self.counts(names.REQUEST_DURATION).items():
            found[status, error] += count
        return dict(found)

    def internal_errors(self) -> dict[Labels, float]:
        return self.numbers(names.INTERNAL_ERRORS)


async def call(app: ASGIApp, scope: Scope | None = None, incoming: Iterable[Message] = ()) -> Client:
    client = Client(*incoming)
    await app(http_scope() if scope is None else scope, client.receive, client.send)
    return client


def run(app: ASGIApp, scope: Scope | None = None, *incoming: Message, backend: str = "asyncio") -> Client:
    """One call on an event loop of its own."""
    return anyio.run(call, app, scope, incoming, backend=backend)


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers 200."""
    await send(dict(START))
    await send(dict(BODY))


def answering(*messages: Message) -> ASGIApp:
    """An app that sends these."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


async def _nothing(*_: object) -> Message:
    return {}


def exchange_of(records: Records, scope: Scope | None = None) -> Exchange:
    """A request that has arrived."""
    return Exchange(records.around(plain), scope or http_scope(), _nothing, _nothing)
