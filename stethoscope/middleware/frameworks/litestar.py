"""Litestar leaves its template in the scope, except for what it mounts: that is noted here.

A mounted app is called with the rest of the path, often with a copy of the scope, and an inner
Litestar replaces the template of the outer one. So the route is noted when the mounted app begins
its response, as the mount's path and what it left in the scope that it got.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from stethoscope.asgi import ASGIApp, Message, Receive, Scope, Send
from stethoscope.current import CURRENT
from stethoscope.middleware.caught import note_caught
from stethoscope.middleware.frameworks.installed import Wrap, is_layer, layer_inside
from stethoscope.middleware.routes import name_route, under_root

if TYPE_CHECKING:
    from litestar import Litestar
    from litestar.types import HTTPScope, WebSocketScope

_FIRST_MESSAGES = frozenset({"http.response.start", "websocket.accept", "websocket.close"})


class _NotedMount:
    """Stands in for the function of a mount's handler, which may be mounted at several paths."""

    __slots__ = ("app", "paths")

    def __init__(self, app: Callable[..., Awaitable[None]], path: str) -> None:
        self.app = app
        self.paths = [path.rstrip("/")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noting_send(message: Message) -> None:
            if message["type"] in _FIRST_MESSAGES:
                _note(scope, self._mount(scope))
            await send(message)

        await self.app(scope=scope, receive=receive, send=noting_send)

    def _mount(self, scope: Scope) -> str:
        if len(self.paths) == 1:
            return self.paths[0]
        from urllib.parse import unquote  # seldom needed, and costly to import

        # ``path`` holds the rest by now.
        raw: bytes = scope.get("raw_path") or b""
        path = unquote(raw.decode("latin-1")).removeprefix(scope.get("root_path", "")) + "/"
        return next((mount for mount in self.paths if path.startswith(mount + "/")), "")


def observe(app: Litestar) -> None:
    """Makes the mounts that are registered note their routes, and the app its exceptions. Other routes are in the scope."""
    if _note_exception not in app.after_exception:
        app.after_exception.append(_note_exception)
    for route in app.routes:
        handler: Any = getattr(route, "route_handler", None)
        if not getattr(handler, "is_mount", False):
            continue
        if not isinstance(handler.fn, _NotedMount):
            # Private, because Litestar has no public way to reach a mounted app's scope. Were it
            # renamed, observe_routes() would warn and mounted apps be without a route.
            handler._fn = _NotedMount(handler.fn, route.path_format)
        elif route.path_format.rstrip("/") not in handler.fn.paths:
            handler.fn.paths.append(route.path_format.rstrip("/"))


def install(app: Litestar, wrap: Wrap) -> ASGIApp:
    """Wraps what the app does with requests (not its lifespan) and returns ``app``."""
    if not is_layer(app.asgi_handler):
        app.asgi_handler = layer_inside(app, wrap, app.asgi_handler)  # type: ignore[arg-type, assignment]
    return app  # type: ignore[return-value]


async def _note_exception(exception: Exception, scope: HTTPScope | WebSocketScope) -> None:
    from litestar.exceptions import HTTPException

    # One of these is an answer that the app has chosen.
    if not isinstance(exception, HTTPException):
        note_caught(exception)


def _note(scope: Scope, mount: str) -> None:
    exchange = CURRENT.get()
    if exchange is not None:
        root = under_root(scope, "")
        inner = exchange.route or name_route(scope) or "/{path}"
        exchange.route = root + mount + inner.removeprefix(root)
