"""Cancellation arrives where the app waits, and is not swallowed on the way out (A4, A10)."""

from __future__ import annotations

import asyncio

import anyio
from anyio import CancelScope, Event, create_task_group
from starlette.types import Message, Receive, Scope, Send

from tests.transparency.case import Collection
from tests.transparency.scopes import body, http_scope, request, start, websocket_scope
from tests.transparency.stage import App, Stage

collection = Collection()


async def cancel_when_waiting(stage: Stage, app: App, waiting: Event, scope: Scope, *incoming: Message) -> None:
    async with create_task_group() as group:
        group.start_soon(lambda: stage.play(app, scope, incoming))
        await waiting.wait()
        stage.note("server cancels")
        group.cancel_scope.cancel()
    stage.note("server goes on")


@collection.add()
async def cancelled_while_receiving(stage: Stage) -> None:
    waiting = Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        waiting.set()
        try:
            await receive()
        except anyio.get_cancelled_exc_class():
            stage.note("app is cancelled")
            raise

    await cancel_when_waiting(stage, app, waiting, http_scope())


@collection.add()
async def cancelled_while_streaming(stage: Stage) -> None:
    waiting = Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"a", more_body=True))
        try:
            waiting.set()
            await anyio.sleep_forever()
        finally:
            stage.note("app cleans up")

    await cancel_when_waiting(stage, app, waiting, http_scope(), request())


@collection.add()
async def cancelled_while_the_server_blocks(stage: Stage) -> None:
    waiting = Event()

    async def server_send(message: Message) -> None:
        waiting.set()
        await anyio.sleep_forever()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())

    async with create_task_group() as group:
        group.start_soon(lambda: stage.play(app, http_scope(), send=server_send))
        await waiting.wait()
        group.cancel_scope.cancel()


@collection.add()
async def shielded_clean_up_still_sends(stage: Stage) -> None:
    waiting = Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            waiting.set()
            await anyio.sleep_forever()
        finally:
            with CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
                await send(start(503))
                await send(body(b"closing"))

    await cancel_when_waiting(stage, app, waiting, http_scope(), request())


@collection.add()
async def app_that_outlives_its_cancellation(stage: Stage) -> None:
    """An app may catch the cancellation, answer, and return: nobody raises it again."""
    waiting = Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> object:
        with CancelScope() as own:
            waiting.set()
            own.cancel()
            await receive()
        await send(start(408))
        await send(body())
        return own.cancelled_caught

    await stage.play(app, http_scope())


@collection.add()
async def time_limit_inside_the_app(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with anyio.fail_after(0):
                await receive()
        except TimeoutError:
            stage.note("app times out")
        await send(start(504))
        await send(body())

    await stage.play(app, http_scope())


@collection.add()
async def cancelled_websocket(stage: Stage) -> None:
    waiting = Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        waiting.set()
        try:
            await receive()
        finally:
            stage.note("socket ends")

    await cancel_when_waiting(stage, app, waiting, websocket_scope(), {"type": "websocket.connect"})


@collection.add()
async def cancelled_lifespan(stage: Stage) -> None:
    waiting = Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        waiting.set()
        await receive()

    await cancel_when_waiting(stage, app, waiting, {"type": "lifespan"}, {"type": "lifespan.startup"})


@collection.add("asyncio")
async def message_of_a_cancelled_task(stage: Stage) -> None:
    waiting = Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        waiting.set()
        try:
            await receive()
        except asyncio.CancelledError as error:
            stage.note("reason", error.args)
            raise

    task = asyncio.create_task(stage.play(app, http_scope()))
    await waiting.wait()
    task.cancel("worker stops")
    await asyncio.wait([task])
    stage.note("cancelled, and how often asked", (task.cancelled(), task.cancelling()))


@collection.add("asyncio")
async def cancellation_during_asyncio_timeout(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(0):
                await receive()
        except TimeoutError:
            stage.note("app times out")
        await send(start(504))
        await send(body())

    await stage.play(app, http_scope())
