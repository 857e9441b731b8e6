"""Coroutines stepped by hand, on no event loop: plain awaits only, no stop of our own, any context (A10, A12)."""

from __future__ import annotations

import contextvars
from collections.abc import Generator

from starlette.types import Message, Receive, Scope, Send

from tests.transparency.case import Collection
from tests.transparency.pictures import context_picture, message_picture
from tests.transparency.scopes import body, http_scope, request, start, websocket_scope
from tests.transparency.stage import FIRST_START, App, Stage, changed

collection = Collection()


class Pause:
    """Suspends once, with a word for whoever steps the coroutine."""

    def __init__(self, word: str) -> None:
        self.word = word

    def __await__(self) -> Generator[str, object, object]:
        return (yield self.word)


def call(stage: Stage, app: App, scope: Scope) -> Generator[object, object, object]:
    """The call of the wrapped app, to be stepped."""

    async def receive() -> Message:
        await Pause("receive")
        return request()

    async def send(message: Message) -> None:
        is_first = scope["type"] == "http" and message["type"] == "http.response.start"
        stage.note(FIRST_START if is_first else "server gets", message_picture(message))
        await Pause("send")

    async def server() -> object:
        return await stage.wrap(app)(scope, receive, send)

    return server().__await__()


async def answer(scope: Scope, receive: Receive, send: Send) -> object:
    await receive()
    await send(start())
    await Pause("work")
    await send(body(b"ok"))
    return "answered"


def step_through(stage: Stage, steps: Generator[object, object, object]) -> None:
    while True:
        try:
            stage.note("suspends", next(steps))
        except StopIteration as end:
            stage.note("returns", end.value)
            return


@collection.add("by hand")
async def suspends_where_the_app_does_and_nowhere_else(stage: Stage) -> None:
    step_through(stage, call(stage, answer, http_scope()))
    step_through(stage, call(stage, answer, websocket_scope()))
    step_through(stage, call(stage, answer, {"type": "lifespan"}))


@collection.add("by hand")
async def app_that_never_suspends(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> object:
        return "at once"

    step_through(stage, call(stage, app, http_scope()))


@collection.add("by hand")
async def error_thrown_in_at_each_stop(stage: Stage) -> None:
    for stop in range(1, 5):
        steps = call(stage, answer, http_scope())
        for _ in range(stop):
            next(steps)
        error = InterruptedError(stop)
        try:
            steps.throw(error)
        except InterruptedError as escaped:
            stage.note("the very error", escaped is error)


@collection.add("by hand")
async def closed_at_each_stop(stage: Stage) -> None:
    """A server that stops for good closes its coroutines: they end at once, without a word."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await answer(scope, receive, send)
        except GeneratorExit:
            stage.note("app is closed")
            raise

    for stop in range(1, 5):
        steps = call(stage, app, http_scope())
        for _ in range(stop):
            next(steps)
        steps.close()


@collection.add("by hand")
async def finished_in_another_context(stage: Stage) -> None:
    """A token of a context variable is worthless elsewhere: nothing may be raised for it."""
    steps = call(stage, answer, http_scope())
    for _ in range(4):
        contextvars.copy_context().run(next, steps)
    try:
        contextvars.copy_context().run(next, steps)
    except StopIteration as end:
        stage.note("returns", end.value)


@collection.add("by hand")
async def closed_in_another_context(stage: Stage) -> None:
    """As the garbage collector does it."""
    for scope in (http_scope(), websocket_scope()):
        steps = call(stage, answer, scope)
        contextvars.copy_context().run(next, steps)
        contextvars.copy_context().run(steps.close)


@collection.add("by hand")
async def two_requests_share_a_context_and_take_turns(stage: Stage) -> None:
    """Pipelined requests of one connection, each suspended in the other's middle."""
    before = context_picture()
    first, second = call(stage, answer, http_scope()), call(stage, answer, http_scope())
    next(first)
    next(second)
    step_through(stage, first)
    step_through(stage, second)
    left = [variable.name for variable, value in contextvars.copy_context().items() if value is not None]
    stage.note("variables left behind", [name for name in changed(before, context_picture()) if name in left])
