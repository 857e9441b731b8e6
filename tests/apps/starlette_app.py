"""A Starlette app with mounts in mounts. Sleeps with anyio, so that it runs on trio too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

import stethoscope
from tests.apps.contract import BACKGROUND_SECONDS, ENDLESS_PARTS, PARTS, SLOW_SECONDS


async def ok(request: Request) -> Response:
    return PlainTextResponse("ok")


async def boom(request: Request) -> Response:
    raise KeyError("boom")


async def broken(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield PARTS[0]
        raise RuntimeError("broken")

    return StreamingResponse(parts())


async def endless(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(ENDLESS_PARTS):
            yield PARTS[0]
            await anyio.sleep(0.01)

    return StreamingResponse(parts())


async def slow(request: Request) -> Response:
    with anyio.move_on_after(SLOW_SECONDS):
        while (await request.receive())["type"] != "http.disconnect":
            pass
    return PlainTextResponse("late")


async def background(request: Request) -> Response:
    return PlainTextResponse("ok", background=BackgroundTask(anyio.sleep, BACKGROUND_SECONDS))


async def stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for part in PARTS:
            yield part

    return StreamingResponse(parts())


async def upload(request: Request) -> Response:
    size = 0
    async for part in request.stream():
        size += len(part)
    return PlainTextResponse(str(size))


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close()


ROUTES: list[BaseRoute] = [
    Route("/items/{number:int}", ok),
    Route("/only-post", ok, methods=["POST"]),
    Route("/boom/{number:int}", boom),
    Route("/broken/{number:int}", broken),
    Route("/endless", endless),
    Route("/slow", slow),
    Route("/background", background),
    Route("/stream", stream),
    Route("/upload", upload, methods=["POST"]),
    WebSocketRoute("/echo/{number:int}", echo),
]


def make_app() -> Starlette:
    team = Mount("/teams/{team}", routes=[Route("/members/{number}", ok)])
    tenant = Starlette(routes=[Route("/users/{number}", ok), team])
    static = StaticFiles(directory=Path(__file__).parent)
    return Starlette(
        routes=[
            *ROUTES,
            Mount("/tenants/{tenant}", app=tenant),
            Mount("/again", app=tenant),
            Mount("/static", app=static),
        ]
    )


app = stethoscope.install(make_app())
