"""The two apps that contenders are put around: the least one, and one that looks a route up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

APPS: Final = ("raw", "starlette")
PATH: Final = "/items/42"
_BODY: Final = b'{"id": 42, "name": "stethoscope"}'


async def raw_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers any request with two messages and knows no routes."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", b"33")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _BODY, "more_body": False})


async def _lifespan(receive: Receive, send: Send) -> None:
    for done in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
        await receive()
        await send({"type": done})


def starlette_app() -> ASGIApp:
    """A Starlette app with ten routes; the request matches the fifth."""
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    async def endpoint(request: Request) -> Response:
        return Response(_BODY, media_type="application/json")

    paths = ["/", "/about", "/users", "/users/{user_id}", "/items/{item_id}"]
    paths += [f"/shop/{name}/{{key}}" for name in ("cart", "order", "stock", "price", "offer")]
    return Starlette(routes=[Route(path, endpoint) for path in paths])


def make_app(name: str) -> ASGIApp:
    """The app called `name`; ValueError for one that is not in `APPS`."""
    if name == "raw":
        return raw_app
    if name == "starlette":
        return starlette_app()
    raise ValueError(f"app is one of {', '.join(APPS)}, not {name!r}")
