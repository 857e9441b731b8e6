"""A bare ASGI callable: no routes that anyone but itself knows of."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import stethoscope
from tests.apps.contract import BACKGROUND_SECONDS, PARTS

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    path = scope["path"]
    if path.startswith("/boom"):
        raise KeyError("boom")
    if path == "/upload":
        await _respond(send, str(await _size(receive)).encode())
    elif path == "/slow":
        await _until_disconnected(receive)
    elif path in ("/stream", "/endless") or path.startswith("/broken"):
        await _stream(path, receive, send)
    else:
        await _respond(send, b"ok")
        if path == "/background":
            await asyncio.sleep(BACKGROUND_SECONDS)


async def _lifespan(receive: Receive, send: Send) -> None:
    for event in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{event}.complete"})


async def _respond(send: Send, body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def _size(receive: Receive) -> int:
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            return size


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stream(path: str, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for part in PARTS:
        await send({"type": "http.response.body", "body": part, "more_body": True})
        if path.startswith("/broken"):
            raise RuntimeError("broken")
    if path == "/endless":
        await _until_disconnected(receive)
    else:
        await send({"type": "http.response.body"})


app = stethoscope.install(bare)
