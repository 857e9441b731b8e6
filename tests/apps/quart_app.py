"""A Quart app with a blueprint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, cast

from quart import Blueprint, Quart, request

import stethoscope
from tests.apps.contract import BACKGROUND_SECONDS, ENDLESS_PARTS, PARTS, SLOW_SECONDS

api = Blueprint("api", __name__, url_prefix="/api")

if TYPE_CHECKING:
    from starlette.types import ASGIApp


@api.get("/users/<int:number>")
async def user(number: int) -> str:
    return str(number)


async def item(number: int) -> str:
    return str(number)


async def ok() -> str:
    return "ok"


async def boom(number: int) -> str:
    raise KeyError("boom")


async def broken(number: int) -> AsyncIterator[bytes]:
    async def parts() -> AsyncIterator[bytes]:
        yield PARTS[0]
        raise RuntimeError("broken")

    return parts()


async def endless() -> AsyncIterator[bytes]:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(ENDLESS_PARTS):
            yield PARTS[0]
            await asyncio.sleep(0.01)

    return parts()


async def slow() -> str:
    await asyncio.sleep(SLOW_SECONDS)
    return "late"


async def stream() -> AsyncIterator[bytes]:
    async def parts() -> AsyncIterator[bytes]:
        for part in PARTS:
            yield part

    return parts()


async def upload() -> str:
    size = 0
    async for part in request.body:
        size += len(part)
    return str(size)


def make_app() -> Quart:
    app = Quart(__name__)

    async def background() -> str:
        app.add_background_task(asyncio.sleep, BACKGROUND_SECONDS)
        return "ok"

    app.register_blueprint(api)
    app.add_url_rule("/items/<int:number>", view_func=item)
    app.add_url_rule("/folder/", "folder", ok)
    app.add_url_rule("/only-post", "only_post", ok, methods=["POST"])
    app.add_url_rule("/boom/<int:number>", view_func=boom)
    app.add_url_rule("/broken/<int:number>", view_func=broken)
    app.add_url_rule("/upload", view_func=upload, methods=["POST"])
    for view in (endless, slow, stream, background):
        app.add_url_rule(f"/{view.__name__}", view_func=view)
    return app


app = stethoscope.install(cast("ASGIApp", make_app()))
