"""An app with nothing in it, to be watched."""

from __future__ import annotations

import stethoscope
from stethoscope.asgi import Receive, Scope, Send


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


app = stethoscope.install(nothing, service="nothing")
