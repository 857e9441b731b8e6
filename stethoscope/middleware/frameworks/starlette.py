"""Starlette and FastAPI: the layer goes around the whole middleware stack.

Outside of ``ServerErrorMiddleware``, so that the response it makes of an unhandled exception is
measured and carries our headers. The stack is built when the first request or the lifespan comes,
until then ``add_middleware`` is allowed: so the layer is put around whatever is built.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from stethoscope.asgi import ASGIApp
from stethoscope.middleware.frameworks.installed import Wrap, is_layer, move
from stethoscope.middleware.frameworks.starlette_router import observe

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["install", "observe"]


class _WrappedBuild:
    """Stands in for the app's ``build_middleware_stack``, also when it is built again."""

    __slots__ = ("app", "build", "layer")

    def __init__(self, app: Starlette, layer: ASGIApp) -> None:
        self.app = app
        self.build: Callable[[], ASGIApp] = app.build_middleware_stack
        self.layer = layer

    def __call__(self) -> ASGIApp:
        move(self.layer, self.build())
        with suppress(Exception):
            observe(self.app)  # once more: what is mounted is there by now
        return self.layer


def install(app: Starlette, wrap: Wrap) -> ASGIApp:
    """Wraps the stack, built or not, and returns ``app``.

    The layer is made at once, so that a mistake in its settings shows here and not with the first
    request.
    """
    if isinstance(app.build_middleware_stack, _WrappedBuild):
        return app
    layer = wrap(app)
    # A framework's method, on one instance: there is no other place outside of all middlewares.
    app.build_middleware_stack = _WrappedBuild(app, layer)  # type: ignore[method-assign]
    if app.middleware_stack is not None and not is_layer(app.middleware_stack):
        move(layer, app.middleware_stack)
        app.middleware_stack = layer
    return app
