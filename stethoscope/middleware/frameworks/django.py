"""Django leaves nothing in the scope: the route is noted when its handler has resolved the path."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol

from stethoscope.asgi import Scope
from stethoscope.current import CURRENT
from stethoscope.middleware.caught import note_caught
from stethoscope.middleware.routes import under_root

# Django comes without types; this is what of it is touched.


class _Request(Protocol):
    @property
    def scope(self) -> Scope: ...


class _Match(Protocol):
    @property
    def route(self) -> str | None: ...


class _Handler(Protocol):
    resolve_request: Callable[[_Request], _Match]


class _NotedResolve:
    """Stands in for the handler's ``resolve_request``.

    That is where sync and async chains of middlewares meet, in a thread or not, and the only place
    that also sees a ``request.urlconf`` that a middleware chose.
    """

    __slots__ = ("resolve",)

    def __init__(self, resolve: Callable[[_Request], _Match]) -> None:
        self.resolve = resolve

    def __call__(self, request: _Request) -> _Match:
        match = self.resolve(request)
        exchange = CURRENT.get()
        if exchange is not None and match.route is not None:
            exchange.route = under_root(request.scope, template(match.route))
        return match


def observe(handler: _Handler) -> None:
    """Makes the handler note the route of every request it resolves, and listens to exceptions that Django makes a 500 of."""
    from django.core.signals import got_request_exception  # type: ignore[import-untyped]

    if not isinstance(handler.resolve_request, _NotedResolve):
        handler.resolve_request = _NotedResolve(handler.resolve_request)
    got_request_exception.connect(_note_exception)  # signals keep one of equal receivers


def _note_exception(**_: object) -> None:
    note_caught(sys.exc_info()[1])


def template(route: str) -> str:
    """``route`` as Django's ``ResolverMatch`` has it, with the slash that every path begins with.

    That slash takes the place of a regular expression's leading ``^``, as it does where Django
    joins the routes of an ``include``. The rest of an expression stays as it is written.
    """
    return "/" + route.removeprefix("^")
