"""What is recorded of one request, case by case: status and error type, times, sizes, requests in flight."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable

import anyio
import pytest
import trio
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from stethoscope import names
from stethoscope.asgi import ASGIApp, Message, Receive, Scope, Send
from stethoscope.current import CURRENT
from stethoscope.middleware.frameworks import observe_routes
from tests.middleware.scripted import (
    BODY,
    DISCONNECT,
    START,
    Client,
    Clock,
    Never,
    Records,
    answering,
    body,
    call,
    exchange_of,
    http_scope,
    plain,
    request,
    run,
    start,
)

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class Stop(BaseException):
    """Not for apps to catch."""


class Gone(OSError):
    """What a server's send raises when its client has left (ASGI HTTP spec 2.4)."""


def raising(error: BaseException, *messages: Message) -> ASGIApp:
    """An app that sends these and then fails."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(*messages)(scope, receive, send)
        raise error

    return app


def refusing(kind: str, error: Exception) -> type[Client]:
    """A server that does not take a kind of message."""

    class Refusing(Client):
        async def send(self, message: Message) -> None:
            if message["type"] == kind:
                raise error
            await super().send(message)

    return Refusing


async def play(app: ASGIApp, client: Client) -> None:
    await app(http_scope(), client.receive, client.send)


# Status and error type.


@BACKENDS
@pytest.mark.parametrize(
    ("status", "error"),
    [(200, ""), (204, ""), (301, ""), (404, ""), (499, ""), (500, "500"), (503, "503"), (599, "599")],
)
def test_status_is_what_was_sent_and_only_5xx_is_an_error_of_its_own(
    records: Records, status: int, error: str, backend: str
) -> None:
    """B14."""
    run(records.around(answering(start(status), body())), backend=backend)
    assert records.outcomes() == {(str(status), error): 1}


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (KeyError("k"), "KeyError"),
        (Stop(), f"{__name__}.Stop"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(1), "SystemExit"),
        (ExceptionGroup("several", [ValueError()]), "ExceptionGroup"),
        (ConnectionResetError("from a database"), "ConnectionResetError"),
        (TimeoutError(), "TimeoutError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize(
    ("sent", "status"),
    [((), "500"), ((START,), "200"), ((START, body(b"part", more=True)), "200"), ((start(404),), "404")],
    ids=["before-start", "after-start", "in-mid-stream", "after-404"],
)
def test_exception_is_recorded_with_its_class_and_escapes_as_the_same_object(
    records: Records, error: BaseException, name: str, sent: tuple[Message, ...], status: str
) -> None:
    """A4, A6, B14: also an exception that looks like a client's disconnect and is the app's own."""
    client = Client()
    coroutine = records.around(raising(error, *sent))(http_scope(), client.receive, client.send)
    with pytest.raises(type(error)) as caught:
        coroutine.__await__().__next__()
    assert caught.value is error
    assert not error.__suppress_context__
    assert len(client.sent) == len(sent)
    assert records.outcomes() == {(status, name): 1}


def test_exception_behind_an_error_page_is_recorded_with_its_class(records: Records, clock: Clock) -> None:
    """B14: Starlette sends its 500 first, and raises after it."""

    async def failing(request: Request) -> Response:
        raise LookupError("no such")

    app = records.around(Starlette(routes=[Route("/", failing)]))
    client = Client()
    with pytest.raises(LookupError):
        anyio.run(play, app, client)
    assert client.sent[0]["status"] == 500
    assert records.outcomes() == {("500", "LookupError"): 1}
    assert records.total(names.BACKGROUND_DURATION) == 0


def test_exception_after_a_complete_response_is_an_error_of_its_background_work(records: Records, clock: Clock) -> None:
    """B13: the response was in order."""
    with pytest.raises(KeyError):
        run(records.around(raising(KeyError(), START, BODY)))
    assert records.outcomes() == {("200", ""): 1}
    assert records.counts(names.BACKGROUND_DURATION) == {("GET", names.UNMATCHED_ROUTE, "http", "KeyError"): 1}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ((), "500"),
        ((START,), "200"),
        ((START, body(b"part", more=True)), "200"),
        ((start(trailers=True), BODY), "200"),
        (({"type": "http.response.early_hint", "links": []},), "500"),
    ],
    ids=["nothing", "start", "part", "no-trailers", "hint"],
)
def test_app_that_returns_early_has_not_responded(records: Records, sent: tuple[Message, ...], status: str) -> None:
    """B14."""
    run(records.around(answering(*sent)))
    assert records.outcomes() == {(status, "incomplete_response"): 1}


def test_second_start_goes_to_the_server_as_it_is_and_changes_nothing(records: Records) -> None:
    """A6."""
    second = start(500)
    client = run(records.around(answering(start(200), second, BODY)))
    assert client.sent[1] is second
    assert records.outcomes() == {("200", ""): 1}


def refusing_headers(error: Exception) -> Client:
    """A server that does not take a start whose headers have one of the name ``bad``."""

    class Refusing(Client):
        async def send(self, message: Message) -> None:
            if any(name == b"bad" for name, _ in message.get("headers", ())):
                raise error
            await super().send(message)

    return Refusing()


BAD = start(200, [(b"bad", b"")], trailers=True)


def test_start_that_the_server_refused_was_not_sent(records: Records) -> None:
    """B14: as servers refuse what is no header, and answer 500 themselves."""
    error = ValueError("no header")
    with pytest.raises(ValueError, match="no header") as caught:
        anyio.run(play, records.around(answering(BAD)), refusing_headers(error))
    assert caught.value is error
    assert records.outcomes() == {("500", "ValueError"): 1}


def test_start_after_one_that_the_server_refused_is_the_first(records: Records, clock: Clock) -> None:
    """B14: it carries our headers, and its own status and trailers count."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(ValueError, match="no header"):
            await send(BAD)
        clock.now += 4.0
        await answering(start(404), body(b"no", more=True), body())(scope, receive, send)

    client = refusing_headers(ValueError("no header"))
    anyio.run(play, records.around(app), client)
    assert client.sent[0]["status"] == 404
    assert len(client.values(b"x-request-id")) == len(client.values(b"server-timing")) == 1
    assert records.outcomes() == {("404", ""): 1}
    assert records.sum(names.FIRST_BYTE) == 4.0


def test_second_start_that_the_server_refuses_takes_nothing_back(records: Records) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(201))
        with pytest.raises(ValueError, match="no header"):
            await send(BAD)
        await send(BODY)

    anyio.run(play, records.around(app), refusing_headers(ValueError("no header")))
    assert records.outcomes() == {("201", ""): 1}


@pytest.mark.parametrize(("kind", "status"), [("http.response.start", ""), ("http.response.body", "200")])
def test_client_that_left_before_the_status_was_sent_has_none(records: Records, kind: str, status: str) -> None:
    """B18."""
    with pytest.raises(Gone):
        anyio.run(play, records.around(answering(START, BODY)), refusing(kind, Gone())())
    assert records.outcomes() == {(status, "client_disconnect"): 1}


def test_messages_after_the_end_are_recorded_no_second_time(records: Records, clock: Clock) -> None:
    """B4: what is counted down twice goes below zero."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await plain(scope, receive, send)
        clock.now += 4.0
        await answering(BODY, start(500), BODY)(scope, receive, send)

    run(records.around(app))
    assert records.outcomes() == {("200", ""): 1}
    assert (records.sum(names.REQUEST_DURATION), records.sum(names.BACKGROUND_DURATION)) == (0.0, 4.0)


# The client leaves.


@BACKENDS
@pytest.mark.parametrize(("sent", "status"), [((), ""), ((START, body(b"x", more=True)), "200")])
def test_disconnect_that_the_app_receives_is_what_went_wrong(
    records: Records, sent: tuple[Message, ...], status: str, backend: str
) -> None:
    """B18."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(*sent)(scope, receive, send)
        while (await receive())["type"] != "http.disconnect":
            pass

    run(records.around(app), None, request(), DISCONNECT, backend=backend)
    assert records.outcomes() == {(status, "client_disconnect"): 1}


def test_stream_that_stops_in_good_order_because_its_client_left_is_a_disconnect(records: Records) -> None:
    """B18: the last body that such a stream sends reaches nobody."""

    async def stream(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            while not await request.is_disconnected():
                yield b"part"

        return StreamingResponse(parts())

    client = run(records.around(Starlette(routes=[Route("/", stream)])), None, request(), DISCONNECT)
    assert client.sent[-1]["more_body"] is False
    assert records.outcomes() == {("200", "client_disconnect"): 1}


@pytest.mark.parametrize(("status", "error"), [(200, ""), (500, "500")])
def test_disconnect_after_the_response_is_none(records: Records, status: int, error: str) -> None:
    """B18: servers tell of every end of a connection."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(start(status), BODY)(scope, receive, send)
        assert (await receive())["type"] == "http.disconnect"

    run(records.around(app), None, DISCONNECT)
    assert records.outcomes() == {(str(status), error): 1}


@BACKENDS
@pytest.mark.parametrize("kind", ["http.response.start", "http.response.body"])
@pytest.mark.parametrize("error", [Gone(), ConnectionResetError(), BrokenPipeError()], ids=repr)
def test_oserror_of_the_servers_send_is_a_disconnect(records: Records, kind: str, error: OSError, backend: str) -> None:
    """B18: ASGI HTTP spec 2.4; the exception is the app's to see, and Starlette makes another of it."""

    async def stream(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"part"

        return StreamingResponse(parts())

    for app in (answering(START, BODY), Starlette(routes=[Route("/", stream)])):
        with pytest.raises((OSError, ClientDisconnect)) as caught:
            anyio.run(play, records.around(app), refusing(kind, error)(), backend=backend)
        assert error in (caught.value, caught.value.__context__)
    outcomes = records.outcomes()
    assert {what for _, what in outcomes} == {"client_disconnect"}
    assert sum(outcomes.values()) == 2


def test_oserror_of_send_that_the_app_swallows_is_a_disconnect(records: Records) -> None:
    """B18."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        with pytest.raises(Gone):
            await send(BODY)

    anyio.run(play, records.around(app), refusing("http.response.body", Gone())())
    assert records.outcomes() == {("200", "client_disconnect"): 1}


def test_oserror_of_send_that_is_none_of_the_connection_is_an_error(records: Records) -> None:
    """B18: as of a middleware outside of us that writes to a file."""
    error = FileNotFoundError(errno.ENOENT, "no such file")
    with pytest.raises(FileNotFoundError) as caught:
        anyio.run(play, records.around(answering(START, BODY)), refusing("http.response.body", error)())
    assert caught.value is error
    assert records.outcomes() == {("200", "FileNotFoundError"): 1}


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (KeyError("a bug"), "KeyError"),
        (FileNotFoundError(errno.ENOENT, "a bug"), "FileNotFoundError"),
        (ClientDisconnect(), "client_disconnect"),
        (ConnectionResetError(), "client_disconnect"),
        (asyncio.CancelledError(), "client_disconnect"),
    ],
)
def test_only_what_follows_from_a_disconnect_is_one(records: Records, error: BaseException, name: str) -> None:
    """B18: no status was sent to a client that has left."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.disconnect"
        raise error

    with pytest.raises(type(error)):
        run(records.around(app), None, DISCONNECT)
    assert records.outcomes() == {("", name): 1}


def test_middlewares_of_starlette_that_get_no_response_have_lost_the_client(records: Records) -> None:
    """B18: they raise a RuntimeError, which says nothing of why."""

    class Dispatching(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
            return await call_next(request)

    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.disconnect"

    with pytest.raises(RuntimeError, match="No response returned"):
        run(records.around(Dispatching(nothing)), None, DISCONNECT)
    assert records.outcomes() == {("", "client_disconnect"): 1}


@pytest.mark.parametrize("status", [200, 503])
def test_response_whose_end_the_server_refused_is_incomplete(records: Records, status: int) -> None:
    """B14: also where the app does not mind. Servers refuse what is longer than its length."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(status))
        with pytest.raises(RuntimeError, match="too long"):
            await send(BODY)

    anyio.run(play, records.around(app), refusing("http.response.body", RuntimeError("too long"))())
    assert records.outcomes() == {(str(status), "incomplete_response"): 1}


@pytest.mark.parametrize(("status", "error"), [(200, ""), (503, "503")])
def test_response_whose_end_was_cancelled_is_complete(records: Records, status: int, error: str) -> None:
    """B14: hypercorn does that, with the response under way."""

    class Cancelling(Client):
        async def send(self, message: Message) -> None:
            if message["type"] == "http.response.body":
                raise asyncio.CancelledError
            await super().send(message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(status))
        with pytest.raises(asyncio.CancelledError):
            await send(BODY)

    anyio.run(play, records.around(app), Cancelling())
    assert records.outcomes() == {(str(status), error): 1}


# Cancellation.


@pytest.mark.parametrize(("sent", "status"), [((), ""), ((START, body(b"x", more=True)), "200")])
def test_request_cancelled_on_asyncio_is_counted(records: Records, sent: tuple[Message, ...], status: str) -> None:
    """A4, B4."""

    async def cancelled() -> None:
        waits = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await answering(*sent)(scope, receive, send)
            waits.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(call(records.around(app)))
        await waits.wait()
        assert list(records.numbers(names.ACTIVE_REQUESTS).values()) == [1.0]
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await task

    asyncio.run(cancelled())
    assert records.outcomes() == {(status, "cancelled"): 1}


@pytest.mark.parametrize(("sent", "status"), [((), ""), ((START, body(b"x", more=True)), "200")])
def test_request_cancelled_on_trio_is_counted(records: Records, sent: tuple[Message, ...], status: str) -> None:
    """A4, A10, B4."""

    async def cancelled() -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await answering(*sent)(scope, receive, send)
            scopes.cancel()
            await trio.sleep_forever()

        with trio.CancelScope() as scopes:
            await call(records.around(app))
        assert scopes.cancelled_caught

    trio.run(cancelled)
    assert records.outcomes() == {(status, "cancelled"): 1}


def test_request_cancelled_with_tasks_of_its_own_on_trio_is_cancelled(records: Records) -> None:
    """A4: nurseries put the cancellations of their tasks into a group."""

    async def cancelled() -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                scopes.cancel()
                await trio.sleep_forever()

        with trio.CancelScope() as scopes:
            await call(records.around(app))

    trio.run(cancelled)
    assert records.outcomes() == {("", "cancelled"): 1}


def test_app_closed_as_a_coroutine_is_cancelled(records: Records) -> None:
    """A12, B4: what an event loop does to tasks that it leaves behind."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Never()

    client = Client()
    coroutine = records.around(app)(http_scope(), client.receive, client.send)
    coroutine.send(None)
    coroutine.close()
    assert records.outcomes() == {("", "cancelled"): 1}


# Times.


def test_time_starts_on_entry_and_ends_when_the_last_body_was_sent(records: Records, clock: Clock) -> None:
    """B11: sending to a slow reader takes time, which is the request's."""

    class Slow(Client):
        async def send(self, message: Message) -> None:
            clock.now += 0.25
            await super().send(message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        clock.now += 1.0
        await plain(scope, receive, send)

    anyio.run(play, records.around(app), Slow())
    assert records.sum(names.REQUEST_DURATION) == 1.5
    assert records.total(names.BACKGROUND_DURATION) == 0


@pytest.mark.parametrize("status", [200, 503])
def test_background_task_is_measured_on_its_own(records: Records, clock: Clock, status: int) -> None:
    """B13."""

    async def endpoint(request: Request) -> Response:
        clock.now += 0.001
        return PlainTextResponse("queued", status, background=BackgroundTask(task))

    async def task() -> None:
        clock.now += 0.3

    run(records.around(Starlette(routes=[Route("/jobs", endpoint)])), http_scope(path="/jobs"), request())
    assert records.sum(names.REQUEST_DURATION) == pytest.approx(0.001)
    assert records.counts(names.BACKGROUND_DURATION) == {("GET", "/jobs", "http", ""): 1}
    assert records.sum(names.BACKGROUND_DURATION) == pytest.approx(0.3)


def test_moments_after_the_response_are_no_background_work(records: Records, clock: Clock) -> None:
    """B13: every app returns a little later than it has responded."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await plain(scope, receive, send)
        clock.now += 0.0005

    run(records.around(app))
    assert records.total(names.BACKGROUND_DURATION) == 0


@pytest.mark.parametrize("status", [200, 500])
def test_no_request_is_in_flight_once_a_good_response_is_complete(records: Records, status: int) -> None:
    """B4: though its background task goes on; a 5xx waits for the exception behind it."""
    in_flight: list[dict[tuple[str, ...], float]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        in_flight.append(records.numbers(names.ACTIVE_REQUESTS))
        await answering(start(status), body())(scope, receive, send)
        in_flight.append(records.numbers(names.ACTIVE_REQUESTS))

    run(records.around(app), http_scope("POST", scheme="https"))
    one = {("POST", "https"): 1.0}
    assert in_flight == [one, {} if status < 500 else one]
    assert records.outcomes() == {(str(status), "" if status < 500 else "500"): 1}


def test_time_to_first_byte_is_told_apart_only_where_a_response_comes_in_parts(records: Records, clock: Clock) -> None:
    """B12."""

    async def streams(scope: Scope, receive: Receive, send: Send) -> None:
        clock.now += 0.5
        await send(start())
        clock.now += 4.0
        await send(body(b"event", more=True))
        clock.now += 32.0
        await send(body())

    run(records.around(plain))
    assert records.total(names.FIRST_BYTE) == 0
    run(records.around(streams))
    assert records.sums(names.FIRST_BYTE) == {("GET", names.UNMATCHED_ROUTE, "http"): 0.5}
    assert records.sum(names.REQUEST_DURATION) == 36.5


# The route, as long as the request is under way.


def test_route_is_told_while_the_request_is_under_way_as_at_its_end(records: Records) -> None:
    """B15: to what is noted meanwhile, also from another thread, where the framework has left it in a scope."""
    told: list[str] = []

    async def endpoint(request: Request) -> Response:
        current = CURRENT.get()
        assert current is not None
        told.append(current.route_by_now())
        told.append(await asyncio.to_thread(current.route_by_now))
        return PlainTextResponse("")

    class Copying:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self.app(dict(scope), receive, send)

    for middleware in ([], [Middleware(Copying)]):
        app = Starlette(routes=[Route("/items/{number}", endpoint)], middleware=middleware)
        observe_routes(app)
        run(records.around(app), http_scope(path="/items/7"), request())
    assert told == ["/items/{number}"] * 4
    assert {labels[1] for labels in records.counts(names.REQUEST_DURATION)} == set(told)


def test_route_by_now_is_none_before_there_is_one_and_where_the_scope_is_no_good(records: Records) -> None:
    exchange = exchange_of(records)
    assert exchange.route_by_now() == ""
    exchange.scope["router"] = exchange.scope["route"] = exchange.scope["endpoint"] = object()
    assert exchange.route_by_now() == ""
    exchange.route = "/told"
    assert exchange.route_by_now() == "/told"


# Sizes.


@BACKENDS
def test_sizes_are_bytes_that_passed_and_not_what_headers_promise(records: Records, backend: str) -> None:
    """C6, C17."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await answering(
            start(headers=[(b"content-length", b"99999")]), body(b"ab", more=True), body(more=True), body(b"cde")
        )(scope, receive, send)

    scope = http_scope("POST", headers=[(b"content-length", b"77777")])
    run(records.around(app), scope, request(b"1234", more=True), request(b"567"), backend=backend)
    assert records.sum(names.REQUEST_SIZE) == 7
    assert records.sum(names.RESPONSE_SIZE) == 5


def test_body_that_the_app_does_not_read_is_not_read_for_it(records: Records) -> None:
    """B19, C17: a client that waits for 100-continue sends nothing before."""
    unread = request(b"1234")
    client = Client(unread)
    anyio.run(play, records.around(plain), client)
    assert client.incoming == [unread]
    assert records.total(names.REQUEST_SIZE) == 0


def test_request_without_a_body_has_no_size_and_response_without_one_has_size_0(records: Records) -> None:
    """C1."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await answering(start(204), {"type": "http.response.body"})(scope, receive, send)

    run(records.around(app), None, {"type": "http.request"})
    assert records.total(names.REQUEST_SIZE) == 0
    assert (records.total(names.RESPONSE_SIZE), records.sum(names.RESPONSE_SIZE)) == (1, 0)


def test_response_to_head_has_size_0_whatever_the_app_sends(records: Records) -> None:
    """C1: servers leave the body out."""
    run(records.around(plain), http_scope("HEAD"))
    assert records.sums(names.RESPONSE_SIZE) == {("HEAD", names.UNMATCHED_ROUTE, "200", "http", ""): 0}


@BACKENDS
def test_a_hundred_requests_at_once_never_mix(records: Records, backend: str) -> None:
    """A1, B4: request i uploads i kB to a status of its own, and is sent 3 i kB back, in turns with all others."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.lowlevel.checkpoint()
        size = 0
        while (message := await receive())["more_body"]:
            size += len(message["body"])
            await anyio.lowlevel.checkpoint()
        await send(start(200 + int(scope["path"][1:])))
        for _ in range(3):
            await send(body(b"x" * size, more=True))
            await anyio.lowlevel.checkpoint()
        await send(body())

    async def all_at_once() -> None:
        async with anyio.create_task_group() as tasks:
            for i in range(100):
                parts = [request(b"x" * 100, more=True)] * (10 * i)
                tasks.start_soon(call, layer, http_scope("PUT", f"/{i}"), [*parts, request()])

    layer = records.around(app)
    anyio.run(all_at_once, backend=backend)
    assert {label[2]: (d.count, d.sum) for label, d in records.distributions(names.RESPONSE_SIZE).items()} == {
        str(200 + i): (1, 3000 * i) for i in range(100)
    }
    assert {label[2]: (d.count, d.sum) for label, d in records.distributions(names.REQUEST_SIZE).items()} == {
        str(200 + i): (1, 1000 * i) for i in range(1, 100)
    }
    assert sum(records.outcomes().values()) == 100


# Extensions (ASGI spec, "Extensions").

LENGTH = [(b"Content-Length", b"1000")]
ZERO_COPY = "http.response.zerocopysend"


@pytest.mark.parametrize(
    ("messages", "size"),
    [
        ([start(headers=LENGTH), {"type": "http.response.pathsend", "path": "/f"}], 1000),
        ([start(), {"type": "http.response.pathsend", "path": "/f"}], 0),
        ([start(headers=[(b"content-length", b"-5")]), {"type": "http.response.pathsend", "path": "/f"}], 0),
        ([start(headers=LENGTH), {"type": ZERO_COPY, "file": 3}], 1000),
        ([start(headers=LENGTH), {"type": ZERO_COPY, "file": 3, "count": 0}], 0),
        ([start(), {"type": ZERO_COPY, "file": 3, "count": 7, "more_body": True}, {"type": ZERO_COPY, "file": 3, "count": 4}], 11),
        ([start(headers=LENGTH), body(b"header", more=True), {"type": ZERO_COPY, "file": 3}], 1000),
        ([start(), {"type": ZERO_COPY, "file": 3, "count": 7, "more_body": True}, body(b"end")], 10),
        ([start(trailers=True), BODY, {"type": "http.response.trailers", "headers": []}], 5),
        ([start(trailers=True), BODY, {"type": "http.response.trailers", "headers": [], "more_trailers": True}, {"type": "http.response.trailers", "headers": []}], 5),
        ([start(headers=LENGTH, trailers=True), {"type": "http.response.pathsend", "path": "/f"}, {"type": "http.response.trailers", "headers": []}], 1000),
        ([{"type": "http.response.early_hint", "links": [b"</s.css>"]}, start(), BODY], 5),
        ([{"type": "http.response.push", "path": "/s.css", "headers": []}, start(), BODY], 5),
        ([{"type": "http.response.debug", "info": {}}, start(), {"type": "x.vendor.thing"}, BODY], 5),
    ],
)  # fmt: skip
def test_response_by_extensions_ends_with_its_last_message(
    records: Records, clock: Clock, messages: list[Message], size: int
) -> None:
    """A7, C6: each message takes a quarter of a second; unknown ones pass as the objects they are."""

    class Slow(Client):
        async def send(self, message: Message) -> None:
            clock.now += 0.25
            await super().send(message)

    client = Slow()
    anyio.run(play, records.around(answering(*messages)), client)
    assert [sent is given for sent, given in zip(client.sent, messages, strict=True)] == [
        message["type"] != "http.response.start" for message in messages
    ]
    assert records.outcomes() == {("200", ""): 1}
    assert records.sum(names.REQUEST_DURATION) == 0.25 * len(messages)
    assert records.sum(names.RESPONSE_SIZE) == size


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize(
    "messages",
    [
        [start(headers=LENGTH), {"type": "http.response.pathsend", "path": "/f"}],
        [start(headers=LENGTH), {"type": ZERO_COPY, "file": 3}],
        [start(trailers=True), BODY, {"type": "http.response.trailers", "headers": []}],
    ],
    ids=["pathsend", "zerocopysend", "trailers"],
)
def test_disconnect_after_a_response_by_extensions_is_none(
    records: Records, messages: list[Message], status: int
) -> None:
    """B18."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering({**messages[0], "status": status}, *messages[1:])(scope, receive, send)
        assert (await receive())["type"] == "http.disconnect"

    run(records.around(app), None, DISCONNECT)
    assert records.outcomes() == {(str(status), "" if status < 500 else "503"): 1}


def test_length_of_a_file_is_found_in_headers_that_can_be_read_only_once(records: Records) -> None:
    client = run(
        records.around(answering(start(headers=iter(LENGTH)), {"type": "http.response.pathsend", "path": "/f"}))
    )
    assert client.values(b"content-length") == [b"1000"]
    assert records.sum(names.RESPONSE_SIZE) == 1000


# What servers may leave out.


@pytest.mark.parametrize(
    "change",
    [
        lambda scope: scope.update(client=None, server=None),
        lambda scope: [
            scope.pop(key) for key in ("client", "server", "raw_path", "root_path", "scheme", "query_string")
        ],
        lambda scope: scope.update(root_path=None, scheme=None, headers=()),
        lambda scope: scope.update(path="/\udcff\ud800", raw_path=b"/\xff", http_version="3"),
    ],
    ids=["no-peers", "missing", "none", "undecodable"],
)
def test_scope_of_little_content_is_measured(records: Records, change: Callable[[Scope], object]) -> None:
    """C2."""
    scope = http_scope()
    change(scope)
    assert run(records.around(plain), scope).sent[1:] == [BODY]
    assert records.outcomes() == {("200", ""): 1}
    assert records.internal_errors() == {}
