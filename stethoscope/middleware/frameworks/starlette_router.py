"""Routers of Starlette and FastAPI note the scope that they route in, where it is not that of the request.

A router leaves its route in the scope that it gets. Where a middleware has copied that, as the ASGI
specification asks of those who change it, nobody outside sees the route.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from stethoscope.asgi import ASGIApp, Receive, Scope, Send
from stethoscope.current import CURRENT
from stethoscope.middleware.routes import note_scope

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.routing import Router

_MOST_APPS: Final = 1000


class _NotedScope:
    """Stands in for a router's ``middleware_stack``, which is what its own ``__call__`` awaits.

    No coroutine function, so that nothing stands between the two once it has looked.
    """

    __slots__ = ("stack",)

    def __init__(self, stack: ASGIApp) -> None:
        self.stack = stack

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        current = CURRENT.get()
        if current is not None and scope is not current.scope:
            with suppress(Exception):  # the route is lacking then
                note_scope(current, scope)
        return self.stack(scope, receive, send)


def observe(app: Starlette | Router) -> None:
    """Has the router of an app, and those of what is mounted in it by now, note their scopes."""
    for router in _routers(app):
        # Outside of a router's own middlewares, which are rare: what one of those copies stays unknown, and what is left
        # in copies by routers of old releases, which have no such stack.
        stack = getattr(router, "middleware_stack", None)
        if stack is not None and not isinstance(stack, _NotedScope):
            router.middleware_stack = _NotedScope(stack)  # type: ignore[assignment]


def _routers(app: object) -> Iterator[Router]:
    """The router of an app, and those mounted in it, through middlewares that keep a public ``app``."""
    waiting, seen = [app], set[int]()
    while waiting and len(seen) < _MOST_APPS:
        found: Any = waiting.pop()
        router = getattr(found, "router", found)
        if id(router) in seen:
            continue
        seen.add(id(router))
        if any((kind.__module__, kind.__name__) == ("starlette.routing", "Router") for kind in type(router).__mro__):
            yield router
            # FastAPI keeps a router that it includes, with what is mounted there.
            waiting += [getattr(route, "app", getattr(route, "original_router", None)) for route in router.routes]
        else:
            waiting.append(getattr(found, "app", None))
