"""Exceptions escape as the same object, and nothing is sent in their place (A4, A5, A6)."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope, Send

from tests.transparency.case import Collection
from tests.transparency.scopes import body, http_scope, lifespan_scope, request, start, websocket_scope
from tests.transparency.stage import App, Stage

collection = Collection()


class Alarm(BaseException):
    """Not an Exception, so that `except Exception` lets it pass."""


class Awkward(Exception):
    """An exception whose text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class NoEqual(Exception):
    """An exception that can be neither compared nor hashed."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")


def raises(error: BaseException) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return app


@collection.add()
async def error_before_the_response(stage: Stage) -> None:
    await stage.play(raises(KeyError("till")), http_scope(), [request()])


@collection.add()
async def error_after_the_start(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        raise ValueError("half way")

    await stage.play(app, http_scope(), [request()])


@collection.add()
async def error_in_mid_stream(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"a", more_body=True))
        raise ZeroDivisionError

    await stage.play(app, http_scope(), [request()])


@collection.add()
async def error_after_the_response(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"all"))
        raise RuntimeError("in the background")

    await stage.play(app, http_scope(), [request()])


@collection.add()
async def base_exception(stage: Stage) -> None:
    await stage.play(raises(Alarm("fire", 7)), http_scope(), [request()])


@collection.add()
async def generator_exit(stage: Stage) -> None:
    await stage.play(raises(GeneratorExit()), http_scope(), [request()])


@collection.add("asyncio")
async def cancelled_error_raised_by_the_app(stage: Stage) -> None:
    stage.scripted = asyncio.CancelledError("by myself")
    await stage.play(raises(stage.scripted), http_scope(), [request()])


@collection.add()
async def exception_group(stage: Stage) -> None:
    await stage.play(raises(ExceptionGroup("many", [KeyError("a"), OSError("b")])), http_scope(), [request()])


@collection.add()
async def group_of_base_exceptions(stage: Stage) -> None:
    await stage.play(raises(BaseExceptionGroup("worse", [Alarm(), KeyError("a")])), http_scope(), [request()])


@collection.add()
async def stop_async_iteration(stage: Stage) -> None:
    await stage.play(raises(StopAsyncIteration("end")), http_scope(), [request()])


@collection.add()
async def chain_and_notes_of_an_error(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            raise LookupError("first")
        except LookupError as first:
            error = ValueError("second")
            error.add_note("till seven")
            raise error from first

    await stage.play(app, http_scope(), [request()])


@collection.add()
async def error_that_cannot_be_printed(stage: Stage) -> None:
    await stage.play(raises(Awkward()), http_scope(), [request()])


@collection.add()
async def error_that_cannot_be_compared(stage: Stage) -> None:
    await stage.play(raises(NoEqual()), http_scope(), [request()])


@collection.add()
async def error_inside_a_handler_of_the_server(stage: Stage) -> None:
    """The context of an error is what was being handled outside, with or without us."""
    try:
        raise TimeoutError("server's own")
    except TimeoutError:
        await stage.play(raises(KeyError("inside")), http_scope(), [request()])


@collection.add()
async def error_in_a_websocket(stage: Stage) -> None:
    await stage.play(raises(KeyError("socket")), websocket_scope(), [{"type": "websocket.connect"}])


@collection.add()
async def error_in_an_unknown_scope(stage: Stage) -> None:
    await stage.play(raises(NotImplementedError("mqtt")), {"type": "mqtt", "topic": "a/b"})


@collection.add()
async def base_exception_in_lifespan(stage: Stage) -> None:
    await stage.play(raises(Alarm("startup")), lifespan_scope(), [{"type": "lifespan.startup"}])
