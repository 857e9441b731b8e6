"""An app that does to its event loop, its threads and its memory what the path says."""

from __future__ import annotations

import gc
import os
import time
from typing import Final

import anyio.to_thread

from stethoscope.asgi import Receive, Scope, Send
from stethoscope.assembly import Stethoscope

TOKEN: Final = "for-tests-only"
SERVICE: Final = "vital"
BLOCKED_SECONDS: Final = 0.8


def block() -> None:
    time.sleep(BLOCKED_SECONDS)  # the line that blocks


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    match scope["path"]:
        case "/block":
            block()
        case "/collect":
            gc.collect()
        case "/thread":
            await anyio.to_thread.run_sync(time.sleep, 0.01)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})


app = Stethoscope(answer, token=TOKEN, service=SERVICE)
