"""Context variables: what the app sets is seen outside as without us, and ours are gone afterwards (A1, A12)."""

from __future__ import annotations

import contextvars
from contextvars import ContextVar, Token

from anyio import to_thread
from starlette.types import Receive, Scope, Send

from tests.transparency.case import Collection
from tests.transparency.scopes import body, http_scope, lifespan_scope, request, start, websocket_scope
from tests.transparency.stage import Stage

collection = Collection()
cart: ContextVar[str] = ContextVar("cart", default="none")


@collection.add()
async def variable_set_outside_is_seen_inside(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        stage.note("inside", cart.get())

    cart.set("outer")
    await stage.play(app, http_scope(), [request()])


@collection.add()
async def variable_set_inside_is_seen_outside(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        cart.set("inner")
        await send(start())
        await send(body())

    await stage.play(app, http_scope(), [request()])
    stage.note("outside", cart.get())


@collection.add()
async def variable_set_inside_is_seen_outside_after_an_error(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        cart.set("inner")
        raise KeyError("till")

    await stage.play(app, http_scope(), [request()])
    stage.note("outside", cart.get())


@collection.add()
async def token_of_the_app_is_good_outside(stage: Stage) -> None:
    tokens: list[Token[str]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        tokens.append(cart.set("inner"))

    await stage.play(app, http_scope(), [request()])
    cart.reset(tokens[0])
    stage.note("outside", cart.get())


@collection.add()
async def variable_set_by_the_server_while_it_receives_and_sends(stage: Stage) -> None:
    async def server_send(message: object) -> None:
        cart.set("sent")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        stage.note("inside", cart.get())
        await send(body())

    await stage.play(app, http_scope(), [request()], send=server_send)
    stage.note("outside", cart.get())


@collection.add()
async def no_variable_is_left_behind(stage: Stage) -> None:
    """Requests of one connection may share a context: nothing of ours may stay in it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send(start())
            await send(body())

    for scope in (http_scope(), websocket_scope(), lifespan_scope(), {"type": "mqtt"}, http_scope()):
        await stage.play(app, scope)


@collection.add()
async def variables_reach_worker_threads(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        cart.set("inner")
        stage.note("in the thread", await to_thread.run_sync(cart.get))

    await stage.play(app, http_scope(), [request()])


@collection.add()
async def call_inside_a_context_of_its_own(stage: Stage) -> None:
    """A server may start every request in a copied context; the copy is all that changes."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        cart.set("inner")

    own = contextvars.copy_context()
    coroutine = stage.play(app, http_scope(), [request()])
    try:
        own.run(coroutine.send, None)
    except StopIteration:
        stage.note("in the copy", own[cart])
    stage.note("outside", cart.get())
