"""Lifespan passes untouched (A13)."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from tests.transparency.case import Collection
from tests.transparency.scopes import LIFESPAN_EVENTS, body, http_scope, lifespan_scope, request, start
from tests.transparency.stage import App, Stage

collection = Collection()


def answers(*types: str) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for kind in types:
            await receive()
            await send({"type": kind, "message": f"so said {kind}"})

    return app


@collection.add()
async def startup_and_shutdown(stage: Stage) -> None:
    app = answers("lifespan.startup.complete", "lifespan.shutdown.complete")
    await stage.play(app, lifespan_scope(), LIFESPAN_EVENTS)


@collection.add()
async def startup_failed(stage: Stage) -> None:
    await stage.play(answers("lifespan.startup.failed"), lifespan_scope(), LIFESPAN_EVENTS)


@collection.add()
async def shutdown_failed(stage: Stage) -> None:
    app = answers("lifespan.startup.complete", "lifespan.shutdown.failed")
    await stage.play(app, lifespan_scope(), LIFESPAN_EVENTS)


@collection.add()
async def app_without_lifespan_raises(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "no lifespan here"

    await stage.play(app, lifespan_scope(), LIFESPAN_EVENTS)


@collection.add()
async def app_without_lifespan_returns(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        return

    await stage.play(app, lifespan_scope(), LIFESPAN_EVENTS)


@collection.add()
async def startup_raises(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise ConnectionError("no database")

    await stage.play(app, lifespan_scope(), LIFESPAN_EVENTS)


@collection.add()
async def state_made_at_startup_is_the_state_of_requests(stage: Stage) -> None:
    """The server keeps the state object of the lifespan scope: it has to be the one that the app filled."""
    state: dict[str, object] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            stage.note("the very state", scope["state"] is state)
            await receive()
            scope["state"]["pool"] = "open"
            await send({"type": "lifespan.startup.complete"})
            return
        scope["state"]["seen"] = True
        await send(start(headers=[(b"x-pool", scope["state"]["pool"].encode())]))
        await send(body())

    await stage.play(app, lifespan_scope(state=state), LIFESPAN_EVENTS)
    await stage.play(app, http_scope(state=state), [request()])
    stage.note("state", sorted(state))


@collection.add()
async def lifespan_without_state(stage: Stage) -> None:
    app = answers("lifespan.startup.complete", "lifespan.shutdown.complete")
    await stage.play(app, {"type": "lifespan", "asgi": {"version": "3.0"}}, LIFESPAN_EVENTS)


@collection.add()
async def unknown_lifespan_messages(stage: Stage) -> None:
    app = answers("lifespan.startup.progress", "lifespan.vendor")
    await stage.play(app, lifespan_scope(), [{"type": "lifespan.reload", "x": 1}, {"type": "lifespan.startup"}])


@collection.add()
async def requests_without_any_lifespan(stage: Stage) -> None:
    """Serverless hosts and `lifespan="off"` never send one."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"ok"))

    scope = http_scope()
    del scope["state"]
    await stage.play(app, scope, [request()])
