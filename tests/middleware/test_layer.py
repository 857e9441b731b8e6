"""Who is watched, and what the app is spared when we fail."""

from __future__ import annotations

import functools
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from stethoscope import Stethoscope, names
from stethoscope.asgi import ASGIApp, Message, Receive, Scope, Send
from stethoscope.current import CURRENT, found_in
from stethoscope.middleware import exchange, layer, websocket
from stethoscope.middleware.frameworks import observe_routes
from stethoscope.middleware.layer import Layer
from stethoscope.names import UNMATCHED_ROUTE
from stethoscope.settings import ALL_HEADERS, Settings
from tests.middleware.scripted import (
    BODY,
    START,
    Client,
    Clock,
    Records,
    answering,
    body,
    call,
    http_scope,
    plain,
    request,
    run,
    websocket_scope,
)


class Bug(Exception):
    """One of ours."""


def broken(*arguments: object, **more: object) -> object:
    raise Bug


def without_ours(client: Client) -> list[Message]:
    """What the server was sent, less the headers that are documented to be added."""
    sent: list[Message] = [dict(message) for message in client.sent]
    for message in sent:
        if "headers" in message:
            message["headers"] = [pair for pair in message["headers"] if pair[0].decode() not in ALL_HEADERS]
    return sent


async def streamed(scope: Scope, receive: Receive, send: Send) -> str:
    """All that an exchange looks at: reads, streams, and goes on in the background."""
    while (await receive()).get("more_body"):
        pass
    await send(dict(START))
    await send(body(b"part", more=True))
    await send(dict(BODY))
    return "returned"


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(dict(START))
    raise KeyError("the app's own")


async def conversing(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    for kind in ("accept", "send", "close"):
        await send({"type": f"websocket.{kind}", "text": "hi"})


# Our own failures.

FAULTS: dict[str, Callable[[pytest.MonkeyPatch, Layer], None]] = {
    "clock": lambda patch, watched: patch.setattr(exchange, "clock", broken),
    "ids": lambda patch, watched: patch.setattr(exchange, "correlation_id", broken),
    "ids of websockets": lambda patch, watched: patch.setattr(websocket, "correlation_id", broken),
    "inlets": lambda patch, watched: patch.setattr(watched.inlets, "find", broken),
    "timing": lambda patch, watched: patch.setattr(watched, "timing", None),
    "routes": lambda patch, watched: patch.setattr(exchange, "name_route", broken),
    "routes of websockets": lambda patch, watched: patch.setattr(websocket, "name_route", broken),
    "requests": lambda patch, watched: patch.setattr(watched.recorder, "request", broken),
    "histograms": lambda patch, watched: patch.setattr(watched.recorder, "histogram", broken),
    "gauges": lambda patch, watched: patch.setattr(watched.recorder, "gauge", broken),
    "sizes": lambda patch, watched: patch.setattr(websocket, "payload_bytes", broken),
    "exclusions": lambda patch, watched: patch.setattr(watched, "exclusions", broken),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_app_is_as_without_us_when_we_fail(
    records: Records, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: str, backend: str
) -> None:
    """A5: the messages, the result and the exception; counted each time, logged once."""
    played: list[tuple[object, ...]] = []

    async def play(wrap: Callable[[ASGIApp], ASGIApp]) -> None:
        for app, scope in ((streamed, http_scope()), (failing, http_scope()), (conversing, websocket_scope())):
            client = Client(request(b"abc", more=True), request(b"d"))
            try:
                result: object = await wrap(app)(scope, client.receive, client.send)
            except KeyError as error:
                result = error.args
            played.append((result, without_ours(client), client.incoming))

    def faulty(app: ASGIApp) -> ASGIApp:
        watched = records.around(app)
        FAULTS[fault](monkeypatch, watched)
        return watched

    anyio.run(play, lambda app: app, backend=backend)
    monkeypatch.setattr(exchange, "clock", ticking())
    anyio.run(play, faulty, backend=backend)
    anyio.run(play, faulty, backend=backend)
    monkeypatch.undo()
    assert played[:3] == played[3:6] == played[6:]
    assert records.internal_errors()["middleware",] >= 2
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("middleware failed and was skipped; the app is not affected: ")
    assert all(value >= 0 for value in records.numbers(names.ACTIVE_REQUESTS).values())


def ticking() -> Clock:
    """A clock that moves on by a second whenever it is read, so that there is always background work."""

    class Ticking(Clock):
        def __call__(self) -> float:
            self.now += 1.0
            return self.now

    return Ticking()


def test_log_handler_that_fails_does_not_reach_the_app(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """A5."""
    logger = logging.getLogger("stethoscope")
    monkeypatch.setattr(logger, "filters", [broken])
    monkeypatch.setattr(exchange, "correlation_id", broken)
    assert run(records.around(plain)).sent == [START, BODY]


def test_messages_that_no_app_should_send_are_the_servers_to_refuse(records: Records) -> None:
    """A7: without a type, of an odd one, with headers that are none, or without a status."""
    messages: list[Message] = [
        {},
        {"type": None},
        {"type": "http.response.start"},
        {"type": "http.response.start", "status": 200, "headers": [(b"a",)]},
        {"type": "http.response.body", "body": 5},
    ]
    client = run(records.around(answering(*messages)))
    assert [sent is given for sent, given in zip(client.sent, messages, strict=True)] == [True] * 5
    assert records.internal_errors()["middleware",] >= 4


def test_scope_that_no_server_should_give_is_the_apps_to_refuse(records: Records) -> None:
    """C2: what is missing is a failure of ours only, and endpoints of our own are asked about no path."""
    for watched in (
        Layer(plain, records.recorder, Settings(), Endpoints()),
        records.around(plain, Settings(exclude=("/a",))),
    ):
        for kind in ("http", "websocket"):
            assert run(watched, {"type": kind}).sent == [START, BODY]
        assert run(watched, {}).sent == [START, BODY]


class Endpoints:
    """Serves one path."""

    def serves(self, path: str) -> bool:
        return path == "/ours"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answering({"type": "http.response.start", "status": 200}, body(b"ours"))(scope, receive, send)


def test_layer_steps_aside_for_a_minute_after_a_thousand_failures(
    records: Records, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A5: and says so. What we serve ourselves is still served, as that is where the failures can be read."""
    now = 5000.0
    tries = 0

    def find(method: str, scheme: str) -> object:
        nonlocal tries
        tries += 1
        raise Bug

    monkeypatch.setattr(layer, "monotonic", lambda: now)
    watched = Layer(plain, records.recorder, Settings(), Endpoints())
    monkeypatch.setattr(watched.inlets, "find", find)

    async def calls(count: int) -> None:
        for _ in range(count):
            assert (await call(watched)).sent == [START, BODY]

    anyio.run(calls, 1200)
    assert tries == 1000
    assert records.internal_errors() == {("middleware",): 1000.0}
    assert run(watched, http_scope(path="/ours")).sent[1]["body"] == b"ours"
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "middleware failed and was skipped; the app is not affected",
        "1000 failures within a minute",
    ]
    now += 59.0
    anyio.run(calls, 1)
    assert tries == 1000
    now += 2.0
    anyio.run(calls, 1)
    assert tries == 1001


def test_failures_far_apart_do_not_add_up(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """A5."""
    now = 5000.0
    monkeypatch.setattr(layer, "monotonic", lambda: now)
    watched = records.around(plain)
    for _ in range(3):
        for _ in range(999):
            watched.failed(Bug())
        run(watched)
        now += 61.0
    assert records.outcomes() == {("200", ""): 3}


def test_minute_with_a_failure_is_over_for_what_comes_after_it(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is compiled is only for layers without failures."""
    now = 5000.0
    monkeypatch.setattr(layer, "monotonic", lambda: now)
    watched = records.around(plain)
    watched.failed(Bug())
    run(watched)
    assert watched.failures == 1
    now += 61.0
    run(watched)
    assert watched.failures == 0


# One observation of each request.


class Copying:
    """Gives the app a copy of the scope, as the ASGI specification asks of those who change it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "path": "/other"}, receive, send)


class Renaming(Copying):
    """Also with headers of its own."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "headers": [*scope["headers"], (b"x-more", b"1")]}, receive, send)


class Wrapping(Copying):
    """Also around what the app receives and sends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def inner_receive() -> Message:
            return await receive()

        async def inner_send(message: Message) -> None:
            await send(message)

        await self.app(dict(scope), inner_receive, inner_send)


class Dispatching(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    "between",
    [lambda app: app, Copying, Renaming, Wrapping, Dispatching],
    ids=["nothing", "copied-scope", "other-headers", "other-callables", "another-task"],
)
def test_app_wrapped_twice_is_watched_once(
    records: Records, between: Callable[[ASGIApp], ASGIApp], backend: str
) -> None:
    """B17."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert sum(records.numbers(names.ACTIVE_REQUESTS).values()) == 1
        await plain(scope, receive, send)

    client = run(records.around(between(records.around(app))), http_scope(headers=[]), request(), backend=backend)
    assert records.outcomes() == {("200", ""): 1}
    for name in ALL_HEADERS:
        assert len(client.values(name.encode())) == 1


def test_websocket_wrapped_twice_is_watched_once(records: Records) -> None:
    """B17."""
    run(records.around(Renaming(records.around(conversing))), websocket_scope(), {"type": "websocket.connect"})
    assert records.total(names.WEBSOCKET_DURATION) == 1
    assert records.numbers(names.WEBSOCKET_MESSAGES) == {(UNMATCHED_ROUTE, "send"): 1}


def test_mounted_app_that_is_watched_too_makes_no_second_observation(records: Records) -> None:
    """B15, B17."""

    def endpoint(request: Request) -> Response:
        return PlainTextResponse("ok")

    async def live(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    inner = records.around(Starlette(routes=[Route("/items/{id}", endpoint), WebSocketRoute("/live", live)]))
    outer = records.around(Starlette(routes=[Mount("/api", inner)]))
    client = run(outer, http_scope(path="/api/items/5"), request())
    assert len(client.values(b"x-request-id")) == 1
    assert list(records.counts(names.REQUEST_DURATION)) == [("GET", "/api/items/{id}", "200", "http", "")]
    run(outer, websocket_scope("/api/live"), {"type": "websocket.connect"})
    assert list(records.counts(names.WEBSOCKET_DURATION)) == [("/api/live", "ws", "", "1000")]


def test_layer_added_twice_as_middleware_is_one(tmp_path: Path) -> None:
    """B17."""

    def endpoint(request: Request) -> Response:
        return PlainTextResponse("ok")

    app = Starlette(
        routes=[Route("/", endpoint)],
        middleware=[
            Middleware(Stethoscope, dir=tmp_path),
            Middleware(Dispatching),
            Middleware(Stethoscope, dir=tmp_path),
        ],
    )
    client = run(app, None, request())
    assert len(client.values(b"x-request-id")) == len(client.values(b"server-timing")) == 1


def test_call_of_another_app_within_a_request_is_measured_on_its_own(records: Records) -> None:
    """B17: as test clients and gateways call it, with a scope of its own."""
    inner = records.around(answering({"type": "http.response.start", "status": 404}, BODY))

    async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
        for headers in ([(b"host", b"test")], [], ()):
            await call(inner, http_scope("POST", headers=headers))
        await plain(scope, receive, send)

    layer = records.around(gateway)
    run(layer)
    assert records.outcomes() == {("200", ""): 1, ("404", ""): 3}
    run(layer, http_scope(headers=()))
    assert records.outcomes() == {("200", ""): 2, ("404", ""): 6}


def test_scope_is_left_as_it_was(records: Records) -> None:
    """B16: the app gets the very same one."""
    scope = http_scope(state={"a": 1})
    before = dict(scope)
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await plain(scope, receive, send)

    run(records.around(app), scope)
    assert seen[0] is scope
    assert scope == before


def test_app_may_do_with_its_scope_as_it_likes(records: Records) -> None:
    """B4, B16: what was counted up is counted down on the same labels."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope.update(method="DELETE", scheme="https", headers=None, path=None)
        await records.around(plain)(http_scope(), receive, send)
        scope.clear()

    run(records.around(app))
    assert records.outcomes() == {("200", ""): 1}
    assert records.internal_errors() == {}


# What is left alone.


@pytest.mark.parametrize("kind", ["lifespan", "x.vendor", "", None])
def test_other_scopes_go_to_the_app_as_they_are(records: Records, kind: str | None) -> None:
    """A7, A13: with the server's own receive and send, and nothing recorded."""
    scope: Scope = {"type": kind, "state": {}}
    client = Client()
    seen: list[tuple[object, ...]] = []

    async def app(*arguments: object) -> str:
        seen.append(arguments)
        return "answer"

    async def play() -> None:
        assert await records.around(app)(scope, client.receive, client.send) == "answer"

    anyio.run(play)
    assert seen[0][0] is scope
    assert seen == [(scope, client.receive, client.send)]
    assert records.internal_errors() == records.numbers(names.ACTIVE_REQUESTS) == {}


def test_lifespan_that_fails_fails_as_without_us(records: Records) -> None:
    """A13."""
    error = RuntimeError("no database")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    with pytest.raises(RuntimeError) as caught:
        run(records.around(app), {"type": "lifespan"})
    assert caught.value is error


def test_any_callable_of_three_can_be_the_app(records: Records) -> None:
    """B20: partial, bound method, and an object that cannot be hashed."""

    class Unhashable:
        __hash__ = None  # type: ignore[assignment]

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await plain(scope, receive, send)

    for app in (functools.partial(plain), Unhashable(), Unhashable().__call__):
        assert run(records.around(app)).sent[1] == BODY
    assert records.outcomes() == {("200", ""): 3}


def test_one_layer_serves_in_several_threads(records: Records) -> None:
    """B4, B10."""
    watched = records.around(plain)
    ready = threading.Barrier(4)

    async def calls() -> None:
        for _ in range(500):
            await call(watched)

    def serve() -> None:
        ready.wait()
        anyio.run(calls)

    threads = [threading.Thread(target=serve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert records.outcomes() == {("200", ""): 2000}


# Exclusions.


@pytest.mark.parametrize(
    ("path", "measured"),
    [
        ("/health", False),
        ("/health/", False),
        ("/health/live", False),
        ("/healthz-admin", True),
        ("/healthy", True),
        ("/", True),
        ("/api/health", True),
        ("/HEALTH", True),
    ],
)
@pytest.mark.parametrize("prefix", ["/health", "/health/"])
def test_excluded_prefix_is_of_whole_segments(records: Records, path: str, measured: bool, prefix: str) -> None:
    """C7."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert len(records.numbers(names.ACTIVE_REQUESTS)) == measured
        await plain(scope, receive, send)

    client = run(records.around(app, Settings(exclude=("/static", prefix))), http_scope(path=path))
    assert records.total(names.REQUEST_DURATION) == measured
    assert len(client.values(b"x-request-id")) == 1


@pytest.mark.parametrize(
    ("root_path", "path"), [("/api", "/api/health"), ("/api/", "/api/health"), ("", "/health"), ("/api", "/health")]
)
def test_excluded_prefix_is_inside_the_root_path(records: Records, root_path: str, path: str) -> None:
    """B15, C7: some servers put it in front of the path, others do not."""
    run(records.around(plain, Settings(exclude=("/health",))), http_scope(path=path, root_path=root_path))
    assert records.total(names.REQUEST_DURATION) == 0


def test_excluded_template_is_not_recorded(records: Records) -> None:
    """C7."""

    def endpoint(request: Request) -> Response:
        return PlainTextResponse("ok", 500 if "fail" in request.query_params else 200)

    routes = [Route("/items/{id}", endpoint), Route("/items/{id}/parts", endpoint), Route("/orders/{id}", endpoint)]
    watched = records.around(Starlette(routes=routes), Settings(exclude=("/items/{id}",)))
    for path in ("/items/1", "/items/2/parts", "/orders/3"):
        run(watched, http_scope(path=path), request())
        run(watched, http_scope(path=path, query_string=b"fail=1"), request())
    assert {labels[1] for labels in records.counts(names.REQUEST_DURATION)} == {"/orders/{id}"}
    assert records.outcomes() == {("200", ""): 1, ("500", "500"): 1}


def test_excluded_template_is_known_behind_middlewares_that_copy_the_scope(records: Records) -> None:
    """C7."""

    def endpoint(request: Request) -> Response:
        return PlainTextResponse("ok")

    app = Starlette(routes=[Route("/other", endpoint)], middleware=[Middleware(Copying)])
    observe_routes(app)
    run(records.around(app, Settings(exclude=("/other",))), http_scope(path="/items"), request())
    assert records.total(names.REQUEST_DURATION) == 0


@pytest.mark.parametrize("exclude", ["/health", "/health/live", "/health/{check}"])
def test_background_work_of_what_is_excluded_is_not_recorded_either(
    records: Records, clock: Clock, exclude: str
) -> None:
    """B13, C7: also behind a mount, which moves the root path on."""

    async def task() -> None:
        clock.now += 4.0

    def endpoint(request: Request) -> Response:
        return PlainTextResponse("ok", background=BackgroundTask(task))

    app = Starlette(routes=[Mount("/health", routes=[Route("/{check}", endpoint)])])
    run(records.around(app, Settings(exclude=(exclude,))), http_scope(path="/health/live"), request())
    assert records.total(names.REQUEST_DURATION) == records.total(names.BACKGROUND_DURATION) == 0


@pytest.mark.parametrize(("root_path", "path"), [("", "/ours"), ("/root", "/root/ours"), ("/root", "/ours")])
def test_our_own_endpoints_are_not_measured_and_not_the_apps(records: Records, root_path: str, path: str) -> None:
    """B15."""
    watched = Layer(plain, records.recorder, Settings(), Endpoints())
    client = run(watched, http_scope(path=path, root_path=root_path))
    assert client.sent[1]["body"] == b"ours"
    assert records.outcomes() == {}
    assert run(watched, http_scope(path=path + "x", root_path=root_path)).sent[1] == BODY
    assert records.outcomes() == {("200", ""): 1}


def test_what_is_watched_is_found_in_the_frames_of_its_call(records: Records) -> None:
    """By logs of what the app raised, and by who looks what blocks an event loop."""
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        frame = sys._getframe()
        while frame.f_back is not None:
            seen.append(found_in(frame))
            frame = frame.f_back
        assert CURRENT.get() in seen
        await plain(scope, receive, send)

    run(records.around(app))
    assert sum(one is not None for one in seen) == 1
