"""Quart leaves nothing in the scope: the route is noted when it signals that a request started."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from stethoscope.asgi import ASGIApp, Scope
from stethoscope.current import CURRENT
from stethoscope.middleware.caught import note_caught
from stethoscope.middleware.frameworks.installed import Wrap, is_layer, layer_inside
from stethoscope.middleware.routes import under_root

if TYPE_CHECKING:
    from hypercorn.typing import HTTPScope, WebsocketScope
    from quart import Quart
    from werkzeug.routing import Rule


def observe(app: Quart) -> None:
    """Listens to the app's requests, exceptions and WebSockets. The signals keep one of equal listeners."""
    from quart import got_request_exception, request_started, websocket_started

    got_request_exception.connect(_note_exception, app)
    request_started.connect(_note_request, app)
    websocket_started.connect(_note_websocket, app)


def install(app: Quart, wrap: Wrap) -> ASGIApp:
    """Wraps ``app.asgi_app``, the place that Quart names for middlewares, and returns ``app``."""
    if not is_layer(app.asgi_app):
        app.asgi_app = layer_inside(app, wrap, app.asgi_app)  # type: ignore[method-assign, assignment, arg-type]
    return app  # type: ignore[return-value]


# All are coroutines because Quart would run plain functions in a thread.


async def _note_request(app: Quart, **_: object) -> None:
    from quart import request

    _note(request.scope, request.url_rule)


async def _note_exception(app: Quart, *, exception: BaseException, **_: object) -> None:
    note_caught(exception)


async def _note_websocket(app: Quart, **_: object) -> None:
    from quart import websocket

    _note(websocket.scope, websocket.url_rule)


def _note(scope: HTTPScope | WebsocketScope, rule: Rule | None) -> None:
    exchange = CURRENT.get()
    if exchange is not None and rule is not None:
        exchange.route = under_root(cast("Scope", scope), rule.rule)
