"""What differs between frameworks: how an app is wrapped in place, and how its routes are learned.

Each framework has a module here, which knows an app by the name of its class and imports nothing
of a framework that the app does not use already.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Final

from stethoscope.asgi import ASGIApp
from stethoscope.middleware.frameworks.installed import Wrap, is_layer

if TYPE_CHECKING:
    from inspect import Signature

logger = logging.getLogger("stethoscope")
_APPS_DEEP: Final = 32


_ADAPTERS: Final = {
    ("starlette.applications", "Starlette"): "starlette",
    ("starlette.routing", "Router"): "starlette_router",
    ("litestar.app", "Litestar"): "litestar",
    ("quart.app", "Quart"): "quart",
    ("django.core.handlers.asgi", "ASGIHandler"): "django",
    ("falcon.asgi.app", "App"): "falcon",
}
"""By module and name of the class, or base class, that an app of a framework has: our module for it.

A module has ``observe(app)`` where the framework leaves no route in the scope, or not in that of the request, and
``install(app, wrap)`` where an app can be wrapped in place. It is imported for the first app of its framework.
"""


def observe_routes(app: object) -> None:
    """Lets the apps that leave nothing in the scope note their routes on the current exchange.

    Looks through wrappers (``app``, Django's ``application``, the ``application_mapping`` of
    Channels). Calling it again changes nothing. It never raises: an app whose routes cannot be
    learned is measured without them, and a warning says so.
    """
    try:
        for inner in _chain(app):
            observe = getattr(_adapter_of(inner), "observe", None)
            if observe is not None:
                observe(inner)
    except Exception:
        logger.warning("The routes of %r cannot be learned: http_route will lack them", type(app), exc_info=True)


def install_in_place(app: ASGIApp, wrap: Wrap) -> ASGIApp:
    """Makes ``wrap(app)`` the outermost layer of ``app`` and returns what is to be served.

    What is returned is ``app`` itself for Starlette, FastAPI, Litestar and Quart, so that it keeps
    its routes, its test client and its command line, and the wrapper for all others. An app that
    has the layer already is returned as it is.

    ``wrap`` is called at once, with ``app``. Where the layer belongs inside of ``app``, its
    attribute ``app`` is then set to what it is around.

    Raises:
        TypeError: ``app`` is no ASGI 3 application.
    """
    require_asgi3(app)
    if is_layer(app):
        return app
    install: Callable[[ASGIApp, Wrap], ASGIApp] | None = getattr(_adapter_of(app), "install", None)
    return wrap(app) if install is None else install(app, wrap)


def require_asgi3(app: object) -> None:
    """Refuses what cannot be called with ``(scope, receive, send)``.

    Raises:
        TypeError: ``app`` is no callable, an ASGI 2 one or a WSGI one; the text says what to do.
    """
    if not callable(app):
        raise TypeError(f"Expected an ASGI application, a callable of (scope, receive, send); got {app!r}")
    import inspect  # as costly to import as all of the store

    try:
        # Of the callable itself: what functools.wraps made it look like may be called in another way.
        signature = inspect.signature(app, follow_wrapped=False)
    except (TypeError, ValueError):
        # Built-in callables need not tell their parameters.
        return
    if _takes(signature, 3):
        return
    if _takes(signature, 1):
        raise TypeError(
            f"{app!r} is an ASGI 2 application, called with (scope) alone. Stethoscope wraps ASGI 3 "
            "applications: pass asgiref.compatibility.guarantee_single_callable(app) instead"
        )
    if "start_response" in signature.parameters:
        raise TypeError(
            f"{app!r} is a WSGI application, called with {signature}. Stethoscope wraps ASGI 3 applications: "
            "pass a2wsgi.WSGIMiddleware(app) instead"
        )
    raise TypeError(f"{app!r} is no ASGI application: it cannot be called with (scope, receive, send), but {signature}")


def _takes(signature: Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _adapter_of(app: object) -> ModuleType | None:
    kinds = ((kind.__module__, kind.__name__) for kind in type(app).__mro__)
    name = next((_ADAPTERS[kind] for kind in kinds if kind in _ADAPTERS), None)
    return None if name is None else import_module(f"{__name__}.{name}")


def _chain(app: object) -> Iterator[object]:
    """``app`` and what it wraps, outermost first."""
    waiting = [app]
    for _ in range(_APPS_DEEP):
        if not waiting:
            return
        current = waiting.pop(0)
        yield current
        waiting += [getattr(current, name, None) for name in ("app", "application") if hasattr(current, name)]
        mapping = getattr(current, "application_mapping", None)
        waiting += mapping.values() if isinstance(mapping, dict) else ()
