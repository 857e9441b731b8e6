"""Apps that tell Sentry, each in its own way."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from contextvars import Context

import sentry_sdk
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

import stethoscope
from stethoscope.asgi import ASGIApp, Receive, Scope, Send

STATEMENT = "SELECT * FROM orders WHERE name = 'Ada Lovelace' AND number = 470815162342"
# Events have the lines of source code around each frame: what a test looks for must not be among them.
#
#
#
#


class _Copying:
    """Gives the app a copy of the scope, in which the route is then."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(dict(scope), receive, send)


def _starlette() -> Starlette:
    async def fail(request: Request) -> Response:
        raise RuntimeError("tenant")

    return Starlette(routes=[Mount("/tenants/{tenant}", routes=[Route("/users/{number:int}", fail)])])


def _fastapi() -> FastAPI:
    app = FastAPI(title="shop")
    router = APIRouter(prefix="/orders")

    @router.get("/{number}")
    async def order(number: int) -> int:
        connection = sqlite3.connect(":memory:")
        connection.execute("create table orders (number)")
        connection.execute(STATEMENT)
        return number

    @router.get("/{number}/logged")
    async def logged(number: int) -> int:
        try:
            raise KeyError("handled")
        except KeyError:
            logging.getLogger("shop").exception("It happened")
            raise

    @router.get("/{number}/fine")
    async def fine(number: int) -> int:
        with sentry_sdk.start_span(op="db", name=STATEMENT):
            return number

    app.include_router(router, prefix="/api")
    app.mount("/tenants", _starlette())
    app.add_middleware(_Copying)
    return app


async def _plain(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        raise NotImplementedError
    if scope["path"] == "/fail":
        raise RuntimeError("plain")
    if scope["path"] == "/flush":
        sentry_sdk.flush(timeout=10)  # holds the event loop, which is what the test is after
    await PlainTextResponse("ok")(scope, receive, send)


async def _nightly(begin: asyncio.Event) -> None:
    """A job that a request has started, with a transaction of its own."""
    await begin.wait()
    with sentry_sdk.isolation_scope(), sentry_sdk.start_transaction(op="task", name="nightly", source="task"):
        try:
            raise RuntimeError("nightly")
        except RuntimeError as error:
            sentry_sdk.capture_exception(error)


async def _calling(called: ASGIApp, scope: Scope, receive: Receive) -> None:
    """A job outside of requests that calls an app in its own process."""

    async def take(message: object) -> None:
        pass

    with sentry_sdk.isolation_scope(), sentry_sdk.start_transaction(op="task", name="calling", source="task"):
        await called({**scope, "path": "/called", "headers": [(b"x-request-id", b"called")]}, receive, take)


def jobs() -> ASGIApp:
    """An app with work beside its requests."""
    begin, started = asyncio.Event(), list[asyncio.Task[None]]()
    called = stethoscope.Stethoscope(_plain, service="plain")
    errors = [ValueError("carrier"), KeyError("parcel")]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        match scope["path"]:
            case "/start":
                started.append(asyncio.create_task(_nightly(begin)))
            case "/begin":
                begin.set()
                await started[0]
            case "/call":
                await asyncio.create_task(_calling(called, scope, receive), context=Context())
            case "/repeat":
                for error in errors * 2:
                    Context().run(sentry_sdk.capture_exception, error)
        await _plain(scope, receive, send)

    return stethoscope.install(app, service="plain")


def by_variable() -> ASGIApp:
    """Nothing is said but SENTRY_DSN."""
    return stethoscope.install(_fastapi())


def wrapped() -> ASGIApp:
    """The SDK's middleware is inside of ours."""
    return stethoscope.Stethoscope(_fastapi(), sentry={"traces_sample_rate": 1.0})


def by_itself() -> ASGIApp:
    """The app has initialised the SDK, with a hook of its own."""

    def before_send(event: object, hint: object) -> object:
        assert isinstance(event, dict)
        event.setdefault("tags", {})["theirs"] = "yes"
        return event

    dsn = os.environ.pop("SENTRY_DSN")
    sentry_sdk.init(dsn=dsn, traces_sample_rate=1.0, before_send=before_send, send_default_pii=True)  # type: ignore[arg-type]
    return stethoscope.install(_fastapi())


def afterwards() -> ASGIApp:
    """The app initialises the SDK after it was installed."""
    app = stethoscope.install(_fastapi())
    sentry_sdk.init(dsn=os.environ["SENTRY_DSN"], traces_sample_rate=1.0)
    return app


def plain() -> ASGIApp:
    """No framework that the SDK knows."""
    return stethoscope.install(_plain, service="plain")
