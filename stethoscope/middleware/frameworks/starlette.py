"""Starlette and FastAPI: the layer goes around the whole middleware stack.

Outside of ``ServerErrorMiddleware``, so that the response it makes of an unhandled exception is
measured and carries our headers. The stack is built when the first request or the lifespan comes,
until then ``add_middleware`` is allowed: so the layer is put around whatever is built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stethoscope.middleware.frameworks.installed import is_layer

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp


class _WrappedBuild:
    """Stands in for the app's ``build_middleware_stack``, also when it is built again."""

    __slots__ = ("build", "wrap")

    def __init__(self, build: Callable[[], ASGIApp], wrap: Callable[[ASGIApp], ASGIApp]) -> None:
        self.build = build
        self.wrap = wrap

    def __call__(self) -> ASGIApp:
        return self.wrap(self.build())


def install(app: Starlette, wrap: Callable[[ASGIApp], ASGIApp]) -> ASGIApp:
    """Wraps the stack, built or not, and returns ``app``."""
    if isinstance(app.build_middleware_stack, _WrappedBuild):
        return app
    build = _WrappedBuild(app.build_middleware_stack, wrap)
    # A framework's method on one instance: there is no other place outside of all middlewares.
    app.build_middleware_stack = build  # type: ignore[method-assign]
    if app.middleware_stack is not None and not is_layer(app.middleware_stack):
        app.middleware_stack = wrap(app.middleware_stack)
    return app
