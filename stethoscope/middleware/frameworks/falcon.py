"""Falcon leaves nothing in the scope: the route is noted by a middleware component of its own kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stethoscope.current import CURRENT
from stethoscope.middleware.routes import under_root

if TYPE_CHECKING:
    from falcon.asgi import App, Request, Response, WebSocket


class RouteNotes:
    """Notes ``req.uri_template`` twice, as neither moment always comes.

    Before the responder: a request that is cancelled has no other. After it: a component that
    refuses a request keeps those behind it from being asked before.
    """

    async def process_resource(self, req: Request, resp: Response, resource: object, params: dict[str, object]) -> None:
        _note(req)

    async def process_response(self, req: Request, resp: Response, resource: object, req_succeeded: bool) -> None:
        _note(req)

    async def process_resource_ws(
        self, req: Request, ws: WebSocket, resource: object, params: dict[str, object]
    ) -> None:
        _note(req)


def observe(app: App[Request, Response]) -> None:
    """Adds one `RouteNotes` to the app."""
    # Falcon's apps have neither an instance dict nor a public list of their middlewares.
    present = getattr(app, "_unprepared_middleware", ())
    if not any(isinstance(component, RouteNotes) for component in present):
        app.add_middleware(RouteNotes())


def _note(req: Request) -> None:
    exchange = CURRENT.get()
    if exchange is not None and req.uri_template is not None:
        exchange.route = under_root(req.scope, req.uri_template)
