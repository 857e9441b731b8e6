"""Streams are passed on piece by piece, and a slow reader slows the app down (A9)."""

from __future__ import annotations

import anyio
from anyio import Event, create_task_group, from_thread, to_thread
from starlette.types import Message, Receive, Scope, Send

from tests.transparency.case import Collection
from tests.transparency.scopes import body, http_scope, request, start
from tests.transparency.stage import Stage, send_one

collection = Collection()
CHUNKS = 10_000


@collection.add()
async def ten_thousand_chunks_each_sent_before_the_next_is_made(stage: Stage) -> None:
    made = taken = furthest_ahead = 0

    async def server_send(message: Message) -> None:
        nonlocal taken
        taken += message.get("more_body", False)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal made, furthest_ahead
        await send(start())
        for _ in range(CHUNKS):
            made += 1
            furthest_ahead = max(furthest_ahead, made - taken)
            await send(body(b"x" * 64, more_body=True))
        await send(body())

    await stage.play(app, http_scope(), [request()], send=server_send)
    stage.note("chunks made, taken and furthest ahead", (made, taken, furthest_ahead))


@collection.add()
async def server_sent_events_step_by_step(stage: Stage) -> None:
    """The app makes an event only when the client has seen the one before."""
    seen: list[Event] = [Event() for _ in range(4)]

    async def client(message: Message) -> None:
        if message["type"] == "http.response.body":
            seen[int(message["body"])].set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(headers=[(b"content-type", b"text/event-stream")]))
        for index, event in enumerate(seen):
            await send(body(b"%d" % index, more_body=index < 3))
            await event.wait()

    await stage.play(app, http_scope(), [request()], send=client)


@collection.add()
async def server_that_blocks_blocks_the_app(stage: Stage) -> None:
    writable = Event()

    async def server_send(message: Message) -> None:
        if message.get("body") == b"much":
            stage.note("server's buffer is full")
            await writable.wait()

    async def drain() -> None:
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        stage.note("buffer drains")
        writable.set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async with create_task_group() as group:
            await send(start())
            group.start_soon(drain)
            await send(body(b"much", more_body=True))
            await send(body(b"more"))

    await stage.play(app, http_scope(), [request()], send=server_send)


@collection.add()
async def streams_from_a_worker_thread(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        def work() -> None:
            from_thread.run(send_one, send, start(headers=[(b"x-a", b"1")]))
            from_thread.run(send_one, send, body(b"a", more_body=True))
            from_thread.run(send_one, send, body(b"b"))

        await to_thread.run_sync(work)

    await stage.play(app, http_scope(), [request()])


@collection.add()
async def work_after_the_response(stage: Stage) -> None:
    """Background tasks run inside the app's call, after the last body message."""
    asked = Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"accepted"))
        asked.set()
        await anyio.lowlevel.checkpoint()
        stage.note("background work")

    await stage.play(app, http_scope(), [request()])
    stage.note("client saw all before", asked.is_set())


@collection.add()
async def sends_from_many_tasks(stage: Stage) -> None:
    """Sends that overlap all reach the server: nothing makes them wait for each other."""
    inside = 0
    both = Event()

    async def server_send(message: Message) -> None:
        nonlocal inside
        if message["type"] == "http.response.body":
            inside += 1
            if inside == 2:
                both.set()
            await both.wait()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        async with create_task_group() as group:
            group.start_soon(send_one, send, body(b"same", more_body=True))
            group.start_soon(send_one, send, body(b"same", more_body=True))

    await stage.play(app, http_scope(), [request()], send=server_send)
    stage.note("inside at once", inside)
