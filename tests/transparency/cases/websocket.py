"""WebSockets: handshake, denial, messages of both kinds, closing (A7)."""

from __future__ import annotations

from starlette.types import Message, Receive, Scope, Send

from tests.transparency.case import Collection
from tests.transparency.scopes import websocket_scope
from tests.transparency.stage import Stage

collection = Collection()
CONNECT: Message = {"type": "websocket.connect"}


async def play(stage: Stage, incoming: list[Message], *outgoing: Message) -> None:
    """Receive all that comes, then send all."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in incoming:
            await receive()
        for message in outgoing:
            await send(message)

    await stage.play(app, websocket_scope(), incoming)


@collection.add()
async def accept_with_subprotocol_and_headers(stage: Stage) -> None:
    pairs = [(b"set-cookie", b"a=1"), (b"Set-Cookie", b"b=2")]
    await play(stage, [CONNECT], {"type": "websocket.accept", "subprotocol": "chat", "headers": pairs, "vendor": 1})


@collection.add()
async def plain_accept(stage: Stage) -> None:
    await play(stage, [CONNECT], {"type": "websocket.accept"})


@collection.add()
async def closed_before_it_is_accepted(stage: Stage) -> None:
    await play(stage, [CONNECT], {"type": "websocket.close", "code": 4401, "reason": "who are you"})


@collection.add()
async def denial_response(stage: Stage) -> None:
    await play(
        stage,
        [CONNECT],
        {"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-a", b"1"), (b"x-a", b"1")]},
        {"type": "websocket.http.response.body", "body": b"no", "more_body": True},
        {"type": "websocket.http.response.body", "body": b"body"},
    )


@collection.add()
async def denial_response_without_headers(stage: Stage) -> None:
    await play(
        stage,
        [CONNECT],
        {"type": "websocket.http.response.start", "status": 403},
        {"type": "websocket.http.response.body"},
    )


@collection.add()
async def text_and_bytes_both_ways(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})

    said = {"type": "websocket.receive"}
    await stage.play(
        app,
        websocket_scope(),
        [
            CONNECT,
            {**said, "text": "Grüße"},
            {**said, "bytes": b"\x00\xff"},
            {**said, "bytes": None, "text": ""},
            {**said, "bytes": b"", "text": None, "vendor": 3},
            {**said, "bytes": bytearray(b"x")},
            {**said, "text": "\ud800"},
            {"type": "websocket.disconnect", "code": 1006, "reason": None},
        ],
    )


@collection.add()
async def own_close_codes(stage: Stage) -> None:
    for code in (1000, 1001, 1011, 3000, 4999, 0, -1):
        await play(
            stage, [CONNECT], {"type": "websocket.accept"}, {"type": "websocket.close", "code": code, "reason": "é"}
        )


@collection.add()
async def close_without_a_code(stage: Stage) -> None:
    await play(stage, [CONNECT, {"type": "websocket.disconnect"}], {"type": "websocket.close"})


@collection.add()
async def sending_after_the_close(stage: Stage) -> None:
    await play(
        stage,
        [CONNECT],
        {"type": "websocket.accept"},
        {"type": "websocket.close"},
        {"type": "websocket.send", "text": "late"},
        {"type": "websocket.close"},
        {"type": "websocket.vendor", "x": [1]},
    )


@collection.add()
async def nothing_is_answered_to_a_handshake(stage: Stage) -> None:
    await play(stage, [CONNECT])


@collection.add()
async def message_without_a_payload(stage: Stage) -> None:
    await play(
        stage, [CONNECT, {"type": "websocket.receive"}], {"type": "websocket.accept"}, {"type": "websocket.send"}
    )


@collection.add()
async def sending_fails_when_the_client_is_gone(stage: Stage) -> None:
    gone = OSError("gone")

    async def server_send(message: Message) -> None:
        if message["type"] == "websocket.send":
            raise gone

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hello?"})

    incoming = iter([CONNECT])

    async def server_receive() -> Message:
        return next(incoming)

    await stage.play(app, websocket_scope(), receive=server_receive, send=server_send)
