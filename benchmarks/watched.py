"""An app whose live page is looked at while it is loaded."""

from __future__ import annotations

import stethoscope
from stethoscope.asgi import Receive, Scope, Send


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        for _ in range(2):
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
        return
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


app = stethoscope.install(nothing, service="bench")
