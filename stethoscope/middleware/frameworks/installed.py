"""Our own layer, as the frameworks' modules put it into an app."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stethoscope.asgi import ASGIApp

Wrap = Callable[[ASGIApp], ASGIApp]


def is_layer(app: object) -> bool:
    """Whether ``app`` is a layer of this package, by the module of its class."""
    return type(app).__module__.partition(".")[0] == "stethoscope"


def layer_inside(app: Any, wrap: Wrap, inner: ASGIApp) -> ASGIApp:
    """A layer made for ``app``, which names the service and knows the routes, around ``inner``."""
    layer = wrap(app)
    move(layer, inner)
    return layer


def move(layer: ASGIApp, inner: ASGIApp) -> None:
    """Puts ``layer`` around ``inner``. Its public ``app`` says what a layer is around."""
    setattr(layer, "app", inner)  # noqa: B010 - callables in general have no ``app``, layers do
