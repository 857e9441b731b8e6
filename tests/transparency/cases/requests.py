"""What an app receives: one for one, nothing read ahead, nothing changed (A9, B19)."""

from __future__ import annotations

import anyio
from anyio import CancelScope, Event, create_task_group
from starlette.types import Message, Receive, Scope, Send

from tests.transparency.case import Collection
from tests.transparency.scopes import body, http_scope, request, start
from tests.transparency.stage import Stage, receive_one

collection = Collection()


@collection.add()
async def nothing_is_read_for_an_app_that_reads_nothing(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"ok"))

    await stage.play(app, http_scope(method="POST"), [request(b"unread")])


@collection.add()
async def request_in_pieces(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            stage.note("piece")
        await send(start())
        await send(body(b"ok"))

    pieces = [request(b"a", more_body=True), request(b"", more_body=True), {"type": "http.request", "body": b"c"}]
    await stage.play(app, http_scope(method="PUT"), pieces)


@collection.add()
async def half_of_the_request_is_read(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(start(413))
        await send(body(b"too much"))

    await stage.play(app, http_scope(method="PUT"), [request(b"a", more_body=True), request(b"b")])


@collection.add()
async def hundred_continue_is_asked_for_only_when_the_app_reads(stage: Stage) -> None:
    """Servers send 100 Continue on the first receive (C17)."""

    async def server_receive() -> Message:
        stage.note("100 continue")
        return request(b"paid for")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        stage.note("app checks the headers")
        await send({"type": "x.early", "ok": True})
        await receive()
        await send(start(201))
        await send(body())

    expecting = http_scope(method="PUT", headers=[(b"expect", b"100-continue")])
    await stage.play(app, expecting, receive=server_receive)


@collection.add()
async def answered_before_the_request_is_read(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await receive()
        await send(body(b"a", more_body=True))
        await receive()
        await send(body(b"b"))
        await receive()

    await stage.play(app, http_scope(), [request(b"a", more_body=True), request(b"b"), {"type": "http.disconnect"}])


@collection.add()
async def unknown_messages_and_keys_come_in(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(4):
            await receive()
        await send(start())
        await send(body())

    incoming = [request(b"a", vendor={"x": [1]}), {"type": "x.vendor"}, {"no": "type"}, {"type": "http.request"}]
    await stage.play(app, http_scope(), incoming)


@collection.add()
async def body_of_another_bytes_type(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        message["body"].extend(b"!")
        await send(start())
        await send(body(bytes(message["body"])))

    await stage.play(app, http_scope(), [{"type": "http.request", "body": bytearray(b"changeable")}])


@collection.add()
async def disconnect_in_mid_stream(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(start())
        await send(body(b"a", more_body=True))
        stage.note("told", (await receive())["type"])
        stage.note("told again", (await receive())["type"])

    gone = {"type": "http.disconnect"}
    await stage.play(app, http_scope(), [request(), gone, gone])


@collection.add()
async def polling_for_a_disconnect(stage: Stage) -> None:
    """Frameworks ask whether the client is gone through a scope that is cancelled already."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        with CancelScope() as poll:
            poll.cancel()
            stage.note("gone", await receive())
        stage.note("poll was cut short", poll.cancelled_caught)
        await send(start())
        await send(body())

    await stage.play(app, http_scope(), [request()])


@collection.add()
async def full_duplex(stage: Stage) -> None:
    """One task of the app waits in receive while another one sends."""
    asked, answered = Event(), Event()

    async def server_receive() -> Message:
        asked.set()
        await answered.wait()
        return {"type": "http.disconnect"}

    async def server_send(message: Message) -> None:
        if not message.get("more_body", True):
            answered.set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async with create_task_group() as group:
            group.start_soon(receive_one, receive)
            await asked.wait()
            await send(start())
            await send(body(b"a", more_body=True))
            await send(body(b"b", more_body=False))

    await stage.play(app, http_scope(), receive=server_receive, send=server_send)


@collection.add()
async def two_tasks_receive_at_once(stage: Stage) -> None:
    asked = 0
    both = Event()

    async def server_receive() -> Message:
        nonlocal asked
        asked += 1
        if asked == 2:
            both.set()
        await both.wait()
        return request()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async with create_task_group() as group:
            group.start_soon(receive_one, receive)
            group.start_soon(receive_one, receive)
        await send(start())
        await send(body())

    await stage.play(app, http_scope(), receive=server_receive)
    stage.note("asked", asked)


@collection.add()
async def receive_fails(stage: Stage) -> None:
    broken = RuntimeError("socket closed")

    async def fails() -> Message:
        raise broken

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receive()
        except RuntimeError as error:
            stage.note("the very error", error is broken)
            raise

    await stage.play(app, http_scope(), receive=fails)


@collection.add()
async def long_polling(stage: Stage) -> None:
    news = Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        async with create_task_group() as group:
            group.start_soon(report)
            await news.wait()
        await send(start())
        await send(body(b"news"))

    async def report() -> None:
        await anyio.lowlevel.checkpoint()
        news.set()

    await stage.play(app, http_scope(), [request()])


@collection.add()
async def calls_that_overlap(stage: Stage) -> None:
    """Two calls of one wrapped app, each suspended while the other goes on: nothing may cross over."""
    first_started, second_done = Event(), Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"].encode()
        await receive()
        await send(start(headers=[(b"x-path", name)]))
        if name == b"/first":
            first_started.set()
            await second_done.wait()
        await send(body(name))

    wrapped = stage.wrap(app)

    async def first() -> None:
        await stage.play_wrapped(wrapped, http_scope(path="/first"), [request(b"1")], lane="first")

    async def second() -> None:
        await first_started.wait()
        await stage.play_wrapped(wrapped, http_scope(path="/second"), [request(b"2")], lane="second")
        second_done.set()

    async with create_task_group() as group:
        group.start_soon(first)
        group.start_soon(second)
