"""Random requests through a layer, and all that can be seen of each: run compiled and plain, to be compared.

python -m tests.middleware.hot_cases FOLDER COUNT
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import types
from collections.abc import Callable, Generator
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Any

from stethoscope import hot, names
from stethoscope.asgi import ASGIApp, Message, Receive, Scope, Send
from stethoscope.current import CURRENT
from stethoscope.middleware import exchange
from stethoscope.middleware.exchange import Exchange
from stethoscope.middleware.observer import Bar, Observer
from stethoscope.settings import Settings
from tests.middleware.scripted import Client, Records, http_scope

_ID = re.compile(r"[0-9a-f]{32}")


class Text(str):
    """A str, and not exactly."""

    __slots__ = ()


class Stop(BaseException):
    """Not for us to catch."""


class Clock:
    """Goes on when the server takes a message, however often it is read."""

    def __init__(self) -> None:
        self.now = 1024.0
        self.step = 0.0

    def __call__(self) -> float:
        return self.now


def headers(random: Random) -> object:
    pairs: list[Any] = [
        random.choice(
            [
                (b"host", b"test"),
                [b"host", b"test"],
                (b"X-Request-Id", b"app-1"),
                (b"x-request-id", b"client-1"),
                (b"x-seen", b"1"),
                [b"x-seen", b"1"],
                (b"x-process-time", b"7"),
                (bytearray(b"x-other"), b"1"),
                ("x-text", "1"),
                (b"odd",),
            ]
            if random.random() < 0.5
            else [(b"content-type", b"text/plain")]
        )
        for _ in range(random.randrange(4))
    ]
    shapes: list[Callable[[list[Any]], object]] = [list, list, list, tuple, iter]
    return random.choice(shapes)(pairs)


def scope_of(random: Random) -> Scope:
    scope = dict[str, Any](
        http_scope(
            random.choice(["GET", "GET", "HEAD", "POST", "odd", Text("GET")]),
            random.choice(["/", "/out/of"]),
            headers=headers(random),
            scheme=random.choice(["http", "http", "https", "gopher", Text("http")]),
        )
    )
    if random.random() < 0.4:
        route = types.SimpleNamespace(path_format=random.choice(["/items/{id}", "", None, Text("/text")]))
        scope |= {"router": object(), "route": route, "root_path": random.choice(["", "/root", None])}
        context = types.SimpleNamespace(path_format="/included", original_route=random.choice([route, None]))
        included = {"effective_route_context": random.choice([context, None, 5])}
        scope |= random.choice([{}, {"fastapi": included}, {"fastapi": types.MappingProxyType(included)}])
    if random.random() < 0.1:
        del scope[random.choice(["headers", "scheme", "path"])]
    return scope


def message_of(random: Random) -> Any:
    if random.random() < 0.4:
        status = random.choice(
            [200, 200, 200, 204, 404, 500, 503, HTTPStatus.CREATED, HTTPStatus.BAD_GATEWAY, True, -1, 0, 2**70]
        )
        message: dict[str, Any] = {"type": "http.response.start", "status": status, "headers": headers(random)}
        if random.random() < 0.15:
            message["trailers"] = random.choice([True, False, 1])
        if random.random() < 0.1:
            del message[random.choice(["status", "headers"])]
        return message
    if random.random() < 0.1:
        return random.choice(
            [
                {},
                {"type": "http.response.trailers"},
                {"type": 5},
                types.MappingProxyType({"type": "http.response.body"}),
            ]
        )
    message = {"type": Text("http.response.body") if random.random() < 0.1 else "http.response.body"}
    if random.random() < 0.8:
        message["body"] = random.choice(
            [b"hello", b"hello", b"", bytearray(b"abc"), memoryview(b"ab"), None, "text", 5]
        )
    if random.random() < 0.6:
        message["more_body"] = random.choice([True, False, False, None, 1, ""])
    return message


def messages_of(random: Random) -> list[Any]:
    if random.random() < 0.4:
        start = {"type": "http.response.start", "status": random.choice([200, 404, 500]), "headers": [(b"a", b"b")]}
        parts = [{"type": "http.response.body", "body": b"part", "more_body": True}] * random.randrange(3)
        return [start, *parts, {"type": "http.response.body", "body": b"end"}]
    return [message_of(random) for _ in range(random.randrange(5))]


class Watcher(Observer):
    """Notes what it is told, and does something unexpected now and then."""

    def __init__(self, random: Random, told: list[str], appoint: Callable[[], None]) -> None:
        self.random, self.told, self.appoint = random, told, appoint
        if random.random() < 0.5:
            self.started_with = random.choice([(), (b"x-seen",), [b"x-seen"]])
            self.ended_carrying = self.left_carrying = random.choice([None, "mine"])
            self.ended_above = random.choice([None, {}, {"/items/{id}": Bar(0.5, 1e9)}, {"(unmatched)": Bar(0.0, 0.0)}])

    def _act(self, what: str, exchange: Exchange) -> None:
        self.told.append(what)
        chance = self.random.random()
        if chance < 0.08:
            raise ValueError(what)
        if chance < 0.1:
            raise Stop(what)
        if chance < 0.2:
            self.appoint()
        if chance < 0.5:
            others: list[dict[str, object]] = [{}, {"routed scope": scope_of(self.random)}, {"caught": KeyError()}]
            exchange.carried = {"mine": 1, **self.random.choice(others)}
        if 0.5 < chance < 0.55:
            exchange.shares = {}
        if 0.55 < chance < 0.6:
            exchange.route = random_route(self.random)

    def started(self, exchange: Exchange) -> None:
        self._act("started", exchange)

    def ended(self, exchange: Exchange, status: int, seconds: float, exception: BaseException | None) -> None:
        self._act(f"ended {status} {seconds} {exception!r} {exchange.route} {exchange.error}", exchange)

    def left(self, exchange: Exchange) -> None:
        self._act(
            f"left {exchange.over} {exchange.sent} {exchange.received} {sorted(exchange.carried or ())}", exchange
        )


def random_route(random: Random) -> str:
    return random.choice(["/told", Text("/told"), ""])


def app_of(random: Random, clock: Clock) -> ASGIApp:
    messages = messages_of(random)
    fails_at = random.randrange(8)
    error = random.choice([ValueError("app"), asyncio.CancelledError(), OSError("gone"), Stop("app")])
    tolerant = random.random() < 0.3
    clock.step = random.choice([0.0, 0.0, 2.0**-14, 2.0**-6])

    async def app(scope: Scope, receive: Receive, send: Send) -> object:
        if random.random() < 0.2:
            await receive()
        for at, message in enumerate(messages):
            if at == fails_at:
                raise error
            try:
                await send(message)
            except Exception:
                if not tolerant:
                    raise
        return "answer"

    return app


def server_of(random: Random, clock: Clock) -> Client:
    fails_at = random.randrange(8)
    error = random.choice([OSError("gone"), ValueError("server"), asyncio.CancelledError()])

    class Server(Client):
        async def send(self, message: Message) -> Any:
            if len(self.sent) == fails_at:
                raise error
            clock.now += clock.step
            await asyncio.sleep(0)
            self.sent.append(message)
            return "sent"

    class Generating(Server):
        @types.coroutine
        def send(self, message: Message) -> Generator[Any, Any, Any]:
            return (yield from Server.send(self, message).__await__())

    return (Generating if random.random() < 0.2 else Server)({"type": "http.request", "body": b"four"})


async def outcome(number: int, folder: Path) -> object:
    random = Random(number)
    clock = exchange.clock = Clock()
    records = Records(folder / str(number))
    app, server, told = app_of(random, clock), server_of(random, clock), list[str]()
    chosen = random.choice([("x-request-id", "server-timing"), ("x-process-time",), ()])
    settings = Settings(headers=chosen, exclude=("/out",) if random.random() < 0.2 else ())
    layer = records.around(app, settings)
    watchers = [Watcher(random, told, lambda: layer.appoint(watchers[:1])) for _ in range(random.randrange(3))]
    layer.appoint(watchers)
    called: ASGIApp = records.around(layer, settings) if random.random() < 0.2 else layer
    ends: list[str] = []
    for again in (False, True):  # the second time what is remembered is there
        random.seed(number + 1)
        server.incoming[:] = [{"type": "http.request", "body": b"four"}]
        try:
            ends.append(repr(await called(scope_of(random), server.receive, server.send)))
        except BaseException as error:
            ends.append(repr(error))
        ends.append(f"{again} {CURRENT.get()}")
        CURRENT.set(None)
    metrics = (
        names.REQUEST_DURATION,
        names.REQUEST_SIZE,
        names.RESPONSE_SIZE,
        names.FIRST_BYTE,
        names.BACKGROUND_DURATION,
    )
    recorded = {metric.name: repr([(records.counts(metric), records.sums(metric))]) for metric in metrics}
    recorded["active"] = repr(records.numbers(names.ACTIVE_REQUESTS))
    recorded["failures"] = repr(records.internal_errors())
    return {"sent": repr(server.sent), "told": told, "ends": ends, "recorded": recorded}


def main(folder: Path, count: int) -> None:
    print(hot.COMPILED)
    for number in range(count):
        text = json.dumps(asyncio.run(outcome(number, folder)), sort_keys=True)
        text = re.sub(r" at 0x[0-9a-f]+|<memory at [^>]*>|(tuple|list)_iterator object", "", text)
        print(_ID.sub("ID", text))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
