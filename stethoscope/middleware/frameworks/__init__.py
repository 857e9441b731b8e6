"""What differs between frameworks: how an app is wrapped in place, and how its routes are learned.

Each framework has a module here, which knows an app by the name of its class and imports nothing
of a framework that the app does not use already.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stethoscope.asgi import ASGIApp
from stethoscope.middleware.frameworks import django, falcon, litestar, quart, starlette
from stethoscope.middleware.frameworks.installed import Wrap, is_layer

if TYPE_CHECKING:
    from inspect import Signature

logger = logging.getLogger("stethoscope")
_APPS_DEEP: Final = 32


def _observe_nothing(app: Any) -> None:
    """For frameworks that leave the route in the scope."""


def _wrapped(app: Any, wrap: Wrap) -> ASGIApp:
    return wrap(app)


class _Framework(NamedTuple):
    """``module`` and ``name`` say which class, or base class, an app of it has."""

    module: str
    name: str
    observe: Callable[[Any], None] = _observe_nothing
    install: Callable[[Any, Wrap], ASGIApp] = _wrapped


_FRAMEWORKS: Final = (
    _Framework("starlette.applications", "Starlette", install=starlette.install),
    _Framework("litestar.app", "Litestar", litestar.observe, litestar.install),
    _Framework("quart.app", "Quart", quart.observe, quart.install),
    _Framework("django.core.handlers.asgi", "ASGIHandler", django.observe),
    _Framework("falcon.asgi.app", "App", falcon.observe),
)


def observe_routes(app: object) -> None:
    """Lets the apps that leave nothing in the scope note their routes on the current exchange.

    Looks through wrappers (``app``, Django's ``application``, the ``application_mapping`` of
    Channels). Calling it again changes nothing. It never raises: an app whose routes cannot be
    learned is measured without them, and a warning says so.
    """
    try:
        for inner in _chain(app):
            framework = _framework_of(inner)
            if framework is not None:
                framework.observe(inner)
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
    framework = _framework_of(app)
    return wrap(app) if framework is None else framework.install(app, wrap)


def require_asgi3(app: object) -> None:
    """Refuses what cannot be called with ``(scope, receive, send)``.

    Raises:
        TypeError: ``app`` is no callable, or an ASGI 2 one; the text says what to do.
    """
    if not callable(app):
        raise TypeError(f"Expected an ASGI application, a callable of (scope, receive, send); got {app!r}")
    import inspect  # as costly to import as all of the store

    try:
        signature = inspect.signature(app)
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
    raise TypeError(f"{app!r} is no ASGI application: it cannot be called with (scope, receive, send), but {signature}")


def _takes(signature: Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _framework_of(app: object) -> _Framework | None:
    kinds = {(kind.__module__, kind.__name__) for kind in type(app).__mro__}
    return next((known for known in _FRAMEWORKS if (known.module, known.name) in kinds), None)


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
