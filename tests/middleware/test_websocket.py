"""What is recorded of one WebSocket connection."""

from __future__ import annotations

import asyncio

import anyio
import pytest
import trio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

import stethoscope
from stethoscope import names
from stethoscope.asgi import ASGIApp, Message, Receive, Scope, Send
from stethoscope.current import CURRENT, Current
from stethoscope.middleware.caught import note_caught
from stethoscope.middleware.frameworks import observe_routes
from stethoscope.names import UNMATCHED_ROUTE
from stethoscope.settings import Settings
from tests.middleware.scripted import Client, Clock, Records, answering, call, run, websocket_scope

CONNECT: Message = {"type": "websocket.connect"}
ACCEPT: Message = {"type": "websocket.accept"}
CLOSE: Message = {"type": "websocket.close"}
BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def text(content: str, kind: str = "websocket.receive") -> Message:
    return {"type": kind, "text": content}


def data(content: bytes, kind: str = "websocket.receive") -> Message:
    return {"type": kind, "bytes": content}


def left(**more: object) -> Message:
    return {"type": "websocket.disconnect", **more}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends back what it gets, until its peer leaves."""
    assert (await receive())["type"] == "websocket.connect"
    await send(dict(ACCEPT))
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


def ends(records: Records) -> dict[tuple[str, str], int]:
    """Connections by close code and error type. None is open when this is asked."""
    assert records.numbers(names.ACTIVE_WEBSOCKETS) == {}
    return {(code, error): n for (_, _, error, code), n in records.counts(names.WEBSOCKET_DURATION).items()}


@BACKENDS
def test_messages_and_their_bytes_are_counted_each_way(records: Records, backend: str) -> None:
    """C11."""
    upper = {"type": "websocket.send", "text": "É", "bytes": None}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await echo(scope, receive, send)
        await send(upper)

    incoming = [CONNECT, text("é€"), data(b"12345"), {**text("abc"), "bytes": None}, data(b""), left(code=1000)]
    run(records.around(app), websocket_scope("/chat"), *incoming, backend=backend)
    assert records.numbers(names.WEBSOCKET_MESSAGES) == {(UNMATCHED_ROUTE, "receive"): 4, (UNMATCHED_ROUTE, "send"): 5}
    assert records.numbers(names.WEBSOCKET_BYTES) == {(UNMATCHED_ROUTE, "receive"): 13, (UNMATCHED_ROUTE, "send"): 15}
    assert records.total(names.REQUEST_DURATION) == 0


def test_messages_are_counted_while_the_connection_is_open(records: Records) -> None:
    """C11: of one that lasts for days nothing may wait for its end, which a killed worker never sees."""
    counted: list[dict[tuple[str, ...], float]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(ACCEPT)
        await receive()
        for _ in range(3):
            await send(text("abc", "websocket.send"))
        counted.extend(records.numbers(metric) for metric in (names.WEBSOCKET_MESSAGES, names.WEBSOCKET_BYTES))

    run(records.around(app), websocket_scope(), text("é"))
    assert counted == [
        {(UNMATCHED_ROUTE, "receive"): 1, (UNMATCHED_ROUTE, "send"): 3},
        {(UNMATCHED_ROUTE, "receive"): 2, (UNMATCHED_ROUTE, "send"): 9},
    ]


def test_connection_is_open_from_handshake_to_end_and_recorded_once(records: Records, clock: Clock) -> None:
    """B12, C11."""
    open_ones: list[dict[tuple[str, ...], float]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        open_ones.append(records.numbers(names.ACTIVE_WEBSOCKETS))
        await send(ACCEPT)
        clock.now += 60.0
        open_ones.append(records.numbers(names.ACTIVE_WEBSOCKETS))
        assert records.total(names.WEBSOCKET_DURATION) == 0
        await send(CLOSE)
        clock.now += 4.0

    run(records.around(app), websocket_scope(scheme="wss"))
    assert open_ones == [{("wss",): 1.0}, {("wss",): 1.0}]
    assert ends(records) == {("1000", ""): 1}
    assert records.sums(names.WEBSOCKET_DURATION) == {(UNMATCHED_ROUTE, "wss", "", "1000"): 64.0}


@pytest.mark.parametrize("scheme", ["ws", "http", "", None, "evil"])
def test_scheme_of_a_connection_is_ws_or_wss(records: Records, scheme: str | None) -> None:
    """A14, C2."""
    run(records.around(answering(ACCEPT, CLOSE)), websocket_scope(scheme=scheme))
    assert list(records.counts(names.WEBSOCKET_DURATION)) == [(UNMATCHED_ROUTE, "ws", "", "1000")]


@pytest.mark.parametrize(
    ("close", "code"),
    [
        (CLOSE, "1000"),
        ({**CLOSE, "code": None}, "1000"),
        ({**CLOSE, "code": 1011, "reason": "broken"}, "1011"),
        ({**CLOSE, "code": 4404}, "4404"),
    ],
)
def test_close_code_that_the_app_chooses_is_recorded(records: Records, close: Message, code: str) -> None:
    """C11: also when the peer answers with one of its own."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(ACCEPT, close)(scope, receive, send)
        await receive()

    run(records.around(app), websocket_scope(), left(code=1001))
    assert ends(records) == {(code, ""): 1}


@pytest.mark.parametrize(
    ("disconnect", "code"),
    [
        (left(code=1000), "1000"),
        (left(code=1001, reason="away"), "1001"),
        (left(code=1005), "1005"),
        (left(code=1006), "1006"),
        (left(code=1015), "1015"),
        (left(), "1006"),
        (left(code=None), "1006"),
        (left(code=3000), "3xxx"),
        (left(code=4999), "4xxx"),
        (left(code=1016), "other"),
        (left(code=2999), "other"),
        (left(code=5000), "other"),
        (left(code=-1), "other"),
        (left(code=10**30), "other"),
    ],
)
def test_close_code_of_the_peer_is_recorded_by_what_is_registered(
    records: Records, disconnect: Message, code: str
) -> None:
    """A14, C11: RFC 6455, section 7.4; a peer can send any number."""
    run(records.around(echo), websocket_scope(), CONNECT, disconnect)
    assert ends(records) == {(code, ""): 1}


def test_connection_that_nobody_closes_ends_with_1006(records: Records) -> None:
    """C11: RFC 6455, section 7.1.5."""
    run(records.around(answering(ACCEPT)), websocket_scope())
    assert ends(records) == {("1006", ""): 1}


@pytest.mark.parametrize(
    "messages",
    [
        [CLOSE],
        [{**CLOSE, "code": 4401}],
        [
            {"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-why", b"no")]},
            {"type": "websocket.http.response.body", "body": b"no", "more_body": True},
            {"type": "websocket.http.response.body"},
        ],
    ],
    ids=["close", "close-with-code", "response"],
)
def test_refused_handshake_is_told_apart(records: Records, messages: list[Message]) -> None:
    """A7, B14: servers answer a close before any accept with 403, and its code reaches nobody."""
    client = run(records.around(answering(*messages)), websocket_scope(), CONNECT)
    assert [sent is given for sent, given in zip(client.sent, messages, strict=True)] == [True] * len(messages)
    assert ends(records) == {("refused", ""): 1}


def test_handshake_that_the_app_does_not_answer_is_refused(records: Records) -> None:
    """C11: the server answers it by HTTP, with 500."""

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError("k")

    with pytest.raises(KeyError):
        run(records.around(failing), websocket_scope(), CONNECT)
    run(records.around(answering()), websocket_scope(), CONNECT)
    assert ends(records) == {("refused", "KeyError"): 1, ("refused", "incomplete_response"): 1}


def test_client_that_leaves_before_the_handshake_is_answered_was_not_refused(records: Records) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()

    run(records.around(app), websocket_scope(), CONNECT, left(code=1006))
    assert ends(records) == {("1006", ""): 1}


def test_messages_pass_as_the_objects_they_are(records: Records) -> None:
    """A7: unknown ones too, and the accept gets no headers of ours."""
    incoming = [CONNECT, text("a"), {"type": "x.vendor.in", "n": 1}, left(code=1000)]
    outgoing: list[Message] = [
        {**ACCEPT, "headers": ((b"a", b"1"),)},
        {"type": "x.vendor.out"},
        data(b"", "websocket.send"),
        CLOSE,
    ]
    received: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in outgoing:
            received.append(await receive())
            await send(message)

    client = run(records.around(app), websocket_scope(), *incoming)
    assert list(map(id, received)) == list(map(id, incoming))
    assert list(map(id, client.sent)) == list(map(id, outgoing))
    assert records.internal_errors() == {}


@pytest.mark.parametrize(
    ("error", "name"),
    [(KeyError("k"), "KeyError"), (SystemExit(), "SystemExit"), (ExceptionGroup("g", [OSError()]), "ExceptionGroup")],
)
def test_exception_is_recorded_with_its_class_and_escapes_as_the_same_object(
    records: Records, error: BaseException, name: str
) -> None:
    """A4, B4."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(ACCEPT)
        raise error

    client = Client()
    with pytest.raises(type(error)) as caught:
        records.around(app)(websocket_scope(), client.receive, client.send).__await__().__next__()
    assert caught.value is error
    assert client.sent == [ACCEPT]
    assert ends(records) == {("1006", name): 1}


def test_oserror_of_the_servers_send_reaches_the_app(records: Records) -> None:
    """A4, B18: ASGI WebSocket spec 2.4; what could not be sent is not counted."""

    class Gone(Client):
        async def send(self, message: Message) -> None:
            if message["type"] == "websocket.send":
                raise BrokenPipeError
            await super().send(message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(ACCEPT)
        with pytest.raises(BrokenPipeError):
            await send(text("lost", "websocket.send"))

    client = Gone()

    async def play() -> None:
        await records.around(app)(websocket_scope(), client.receive, client.send)

    anyio.run(play)
    assert ends(records) == {("1006", ""): 1}
    assert records.numbers(names.WEBSOCKET_MESSAGES) == {}


def test_connection_cancelled_on_asyncio_is_counted(records: Records) -> None:
    """A4, B4."""

    async def cancelled() -> None:
        opened = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send(ACCEPT)
            opened.set()
            await receive()

        task = asyncio.ensure_future(call(records.around(app), websocket_scope()))
        await opened.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert ends(records) == {("1006", "cancelled"): 1}


def test_connection_cancelled_on_trio_is_counted(records: Records) -> None:
    """A4, A10, B4."""

    async def cancelled() -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send(ACCEPT)
            scopes.cancel()
            await receive()

        with trio.CancelScope() as scopes:
            await call(records.around(app), websocket_scope())

    trio.run(cancelled)
    assert ends(records) == {("1006", "cancelled"): 1}


def test_connection_has_a_correlation_id(records: Records) -> None:
    seen: list[str | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(stethoscope.request_id())
        await answering(ACCEPT, CLOSE)(scope, receive, send)

    run(records.around(app), websocket_scope(headers=[(b"x-request-id", b"me")]))
    assert (seen, stethoscope.request_id()) == (["me"], None)


def test_excluded_path_is_not_measured(records: Records) -> None:
    """C7: nor counted as open."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert records.numbers(names.ACTIVE_WEBSOCKETS) == {}
        await answering(ACCEPT, CLOSE)(scope, receive, send)

    run(records.around(app, Settings(exclude=("/live",))), websocket_scope("/live/feed"))
    assert records.total(names.WEBSOCKET_DURATION) == 0


def test_ten_thousand_invented_close_codes_paths_and_schemes_make_few_series(records: Records) -> None:
    """A14: totals stay exact."""
    layer = records.around(echo)

    async def attack() -> None:
        for i in range(10_000):
            await call(layer, websocket_scope(f"/{i}", scheme=f"s{i}"), [CONNECT, left(code=i)])

    anyio.run(attack)
    counts = records.counts(names.WEBSOCKET_DURATION)
    assert sum(counts.values()) == 10_000
    assert len(counts) == 19  # 1000 to 1015, two ranges, and all others
    assert records.numbers(names.ACTIVE_WEBSOCKETS) == {}


def test_messages_have_the_route_behind_middlewares_that_copy_the_scope(records: Records) -> None:
    """B15: and whoever asks on the way is told it."""
    told: list[str] = []

    async def talk(websocket: WebSocket) -> None:
        current = CURRENT.get()
        assert current is not None
        told.append(current.route_by_now())
        await websocket.accept()
        await websocket.send_text("hi")

    class Copying:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self.app(dict(scope), receive, send)

    app = Starlette(routes=[WebSocketRoute("/talk/{number}", talk)], middleware=[Middleware(Copying)])
    observe_routes(app)
    run(records.around(app), websocket_scope("/talk/7"), CONNECT)
    assert told == ["/talk/{number}"]
    assert records.numbers(names.WEBSOCKET_MESSAGES) == {("/talk/{number}", "send"): 1}


def test_exception_that_a_framework_caught_is_not_kept_with_the_connection(records: Records) -> None:
    """It would be a cycle: its frames hold the connection."""
    kept: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        note_caught(KeyError())
        kept.append(CURRENT.get())

    run(records.around(app), websocket_scope())
    [conversation] = kept
    assert isinstance(conversation, Current)
    assert not conversation.carried
