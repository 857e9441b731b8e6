"""A Falcon app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, cast

from falcon.asgi import App, Request, Response

import stethoscope
from tests.apps.contract import BACKGROUND_SECONDS, ENDLESS_PARTS, PARTS, SLOW_SECONDS

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class Ok:
    async def on_get(self, req: Request, resp: Response, **_: object) -> None:
        resp.text = "ok"


class OnlyPost:
    async def on_post(self, req: Request, resp: Response) -> None:
        resp.text = "ok"


class Boom:
    async def on_get(self, req: Request, resp: Response, number: int) -> None:
        raise KeyError("boom")


class Broken:
    async def on_get(self, req: Request, resp: Response, number: int) -> None:
        async def parts() -> AsyncIterator[bytes]:
            yield PARTS[0]
            raise RuntimeError("broken")

        resp.stream = parts()


class Endless:
    async def on_get(self, req: Request, resp: Response) -> None:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(ENDLESS_PARTS):
                yield PARTS[0]
                await asyncio.sleep(0.01)

        resp.stream = parts()


class Slow:
    async def on_get(self, req: Request, resp: Response) -> None:
        await asyncio.sleep(SLOW_SECONDS)


class Background:
    async def on_get(self, req: Request, resp: Response) -> None:
        async def work() -> None:
            await asyncio.sleep(BACKGROUND_SECONDS)

        resp.text = "ok"
        resp.schedule(work)


class Stream:
    async def on_get(self, req: Request, resp: Response) -> None:
        async def parts() -> AsyncIterator[bytes]:
            for part in PARTS:
                yield part

        resp.stream = parts()


class Upload:
    async def on_post(self, req: Request, resp: Response) -> None:
        size = 0
        async for part in req.stream:
            size += len(part)
        resp.text = str(size)


def make_app() -> App[Request, Response]:
    app = App()
    app.add_route("/items/{number:int}", Ok())
    app.add_route("/api/users/{number:int}", Ok())
    app.add_route("/only-post", OnlyPost())
    app.add_route("/boom/{number:int}", Boom())
    app.add_route("/broken/{number:int}", Broken())
    app.add_route("/endless", Endless())
    app.add_route("/slow", Slow())
    app.add_route("/background", Background())
    app.add_route("/stream", Stream())
    app.add_route("/upload", Upload())
    return app


app = stethoscope.install(cast("ASGIApp", make_app()))
