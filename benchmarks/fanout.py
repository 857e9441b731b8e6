"""What a thousand sockets cost without Stethoscope: the same bytes as often to as many, from a bare ASGI app."""

from __future__ import annotations

import asyncio
import os
import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stethoscope.asgi import Receive, Scope, Send

EVENT_BYTES: Final = "EVENT_BYTES"
"""Name of the environment variable with the size of an event."""
_TICK: Final = 2.0
_EVENT: Final = os.urandom(int(os.environ.get(EVENT_BYTES, "2000")))


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        for _ in range(2):
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
    elif scope["path"] == "/":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": _EVENT, "more_body": True})
        await asyncio.sleep(random.uniform(0, _TICK))  # evenly over the time between two ticks
        while True:
            await send({"type": "http.response.body", "body": _EVENT, "more_body": True})
            await asyncio.sleep(_TICK)
