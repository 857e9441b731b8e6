"""Apps of every callable kind, called in every way, and what they return (B20)."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from functools import partial

from starlette.types import Receive, Scope, Send

from tests.transparency.case import Collection
from tests.transparency.scopes import body, http_scope, lifespan_scope, request, start, websocket_scope
from tests.transparency.stage import App, Stage

collection = Collection()
RESULT = object()


async def answer(scope: Scope, receive: Receive, send: Send) -> object:
    await send(start(headers=[(b"x-a", b"1")]))
    await send(body(b"ok"))
    return RESULT


async def with_prefix(prefix: str, scope: Scope, receive: Receive, send: Send) -> object:
    return await answer({**scope, "root_path": prefix}, receive, send)


class Instance:
    """An app that is an instance, cannot be hashed, and is false."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> object:
        return await answer(scope, receive, send)

    async def method(self, scope: Scope, receive: Receive, send: Send) -> object:
        return await answer(scope, receive, send)


class Later:
    """An awaitable that is no coroutine."""

    def __init__(self, awaitable: Awaitable[object]) -> None:
        self.awaitable = awaitable

    def __await__(self) -> Generator[object, object, object]:
        return self.awaitable.__await__()


def returns_an_awaitable(scope: Scope, receive: Receive, send: Send) -> Later:
    return Later(answer(scope, receive, send))


def fails_before_it_can_be_awaited(scope: Scope, receive: Receive, send: Send) -> Awaitable[object]:
    raise LookupError("not today")


async def other_names(environ: Scope, read: Receive, write: Send, /) -> object:
    return await answer(environ, read, write)


async def play_unwatched(stage: Stage, app: App) -> None:
    await stage.play_wrapped(stage.wrap(app), http_scope(), [request()])


@collection.add()
async def what_the_app_returns(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> object:
        return RESULT

    for scope in (http_scope(), websocket_scope(), lifespan_scope(), {"type": "mqtt"}):
        await stage.play(app, scope)


@collection.add()
async def app_that_is_a_partial(stage: Stage) -> None:
    await play_unwatched(stage, partial(with_prefix, "/shop"))


@collection.add()
async def app_that_is_an_instance(stage: Stage) -> None:
    await play_unwatched(stage, Instance())


@collection.add()
async def app_that_is_a_bound_method(stage: Stage) -> None:
    await play_unwatched(stage, Instance().method)


@collection.add()
async def app_that_returns_an_awaitable(stage: Stage) -> None:
    await play_unwatched(stage, returns_an_awaitable)


@collection.add()
async def app_that_fails_before_it_can_be_awaited(stage: Stage) -> None:
    await play_unwatched(stage, fails_before_it_can_be_awaited)


@collection.add()
async def app_with_other_parameter_names(stage: Stage) -> None:
    await play_unwatched(stage, other_names)


@collection.add()
async def called_by_keyword(stage: Stage) -> None:
    wrapped = stage.wrap(answer)

    async def caller(scope: Scope, receive: Receive, send: Send) -> object:
        return await wrapped(scope=scope, receive=receive, send=send)  # type: ignore[call-arg]

    await stage.play_wrapped(caller, http_scope(), [request()])


@collection.add()
async def wrapped_twice(stage: Stage) -> None:
    """The inner wrapper stands aside: headers come once."""
    await play_unwatched(stage, stage.wrap(answer))


@collection.add()
async def mounted_inside_a_wrapped_app(stage: Stage) -> None:
    inner = stage.wrap(answer)

    async def outer(scope: Scope, receive: Receive, send: Send) -> object:
        mounted = {**scope, "root_path": "/mounted", "path": "/mounted/x"}
        return await inner(mounted, receive, send)

    await stage.play_wrapped(stage.wrap(outer), http_scope(), [request()])
