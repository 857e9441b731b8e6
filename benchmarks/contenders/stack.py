"""What users glue together today: starlette_exporter, asgi-correlation-id and a timing header.

Each with its defaults, `metrics` in one process (prometheus_client keeps its values in plain floats
there, its cheapest mode). The timing header is a pure ASGI middleware, cheaper than the
`@app.middleware("http")` that tutorials show, so the comparison leans towards the stack.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from asgi_correlation_id import CorrelationIdMiddleware
from starlette.datastructures import MutableHeaders
from starlette_exporter import PrometheusMiddleware

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class TimingHeader:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin = perf_counter()

        async def with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-process-time"] = f"{perf_counter() - begin:.6f}"
            await send(message)

        await self.app(scope, receive, with_header)


def wrap(app: ASGIApp) -> ASGIApp:
    return CorrelationIdMiddleware(TimingHeader(PrometheusMiddleware(app)))
