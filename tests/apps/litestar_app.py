"""A Litestar app with a router, another Litestar and a Starlette mounted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, cast

from litestar import Litestar, MediaType, Request, Response, Router, asgi, get, post
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import State
from litestar.response import Stream
from starlette.applications import Starlette
from starlette.routing import Route

import stethoscope
from tests.apps import starlette_app
from tests.apps.contract import BACKGROUND_SECONDS, ENDLESS_PARTS, PARTS, SLOW_SECONDS

if TYPE_CHECKING:
    from starlette.types import ASGIApp


@get("/items/{number:int}")
async def item() -> int:
    return 7


@get("/users/{number:int}")
async def user() -> int:
    return 7


@post("/only-post", status_code=200)
async def only_post() -> str:
    return "ok"


@get("/boom/{number:int}")
async def boom() -> str:
    raise KeyError("boom")


@get("/broken/{number:int}")
async def broken() -> Stream:
    async def parts() -> AsyncIterator[bytes]:
        yield PARTS[0]
        raise RuntimeError("broken")

    return Stream(parts())


@get("/endless")
async def endless() -> Stream:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(ENDLESS_PARTS):
            yield PARTS[0]
            await asyncio.sleep(0.01)

    return Stream(parts())


@get("/slow")
async def slow(request: Request[object, object, State]) -> str:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SLOW_SECONDS):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    return "late"


@get("/background", media_type=MediaType.TEXT)
async def background() -> Response[str]:
    return Response("ok", background=BackgroundTask(asyncio.sleep, BACKGROUND_SECONDS))


@get("/stream")
async def stream() -> Stream:
    async def parts() -> AsyncIterator[bytes]:
        for part in PARTS:
            yield part

    return Stream(parts())


@post("/upload", status_code=200, media_type=MediaType.TEXT)
async def upload(request: Request[object, object, State]) -> str:
    size = 0
    async for part in request.stream():
        size += len(part)
    return str(size)


def make_app() -> Litestar:
    # Litestar gives mounted apps paths that end with a slash.
    pages = Starlette(routes=[Route("/pages/{number}/", starlette_app.ok)])
    return Litestar(
        [
            *(item, only_post, boom, broken, endless, slow, background, stream, upload),
            Router("/api", route_handlers=[user]),
            asgi("/sub", is_mount=True, copy_scope=True)(Litestar([item])),
            asgi("/starlette", is_mount=True, copy_scope=True)(pages),
        ]
    )


app = stethoscope.install(cast("ASGIApp", make_app()))
