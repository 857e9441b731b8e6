"""The route template of a request, read from what its framework left in the scope.

What comes out is `http.route` of the OpenTelemetry HTTP conventions: every static segment, a
placeholder for every dynamic one, with the application root (the server's or the app's
``root_path``) in front. It is never the path of a request, and None where no route was found.

Frameworks that leave nothing in the scope are asked through hooks, see
:mod:`stethoscope.middleware.frameworks`.
"""

from __future__ import annotations

from typing import Final

from stethoscope.asgi import Scope
from stethoscope.current import Current
from stethoscope.middleware.route_tree import template_in_tree

ROOTS_KEPT: Final = 8
"""How many different application roots a process puts in front of routes."""

_ROOT_LENGTH: Final = 256
_CARRIED: Final = "routed scope"

_roots: dict[str, str] = {}


def name_route(scope: Scope) -> str | None:
    """The whole template of the route that handled ``scope``, or None.

    Call it with the scope that the app was called with, once the app has chosen a route: when its
    response is complete, or when it returned. It only reads, and costs some dict look-ups.

    Starlette and FastAPI leave ``router`` and ``route`` (FastAPI since 0.137 also the context in
    which a route is included), Litestar ``path_template``.
    """
    router = scope.get("router")
    template: str | None
    if router is None:
        template = scope.get("path_template")
        if not template:
            return None
    else:
        route = scope.get("route")
        if route is None or "app_root_path" in scope:
            template = template_in_tree(scope, router)
        else:
            included = scope.get("fastapi")
            if included is not None:
                context = included.get("effective_route_context")
                if context is not None and context.original_route is route:
                    route = context
            template = getattr(route, "path_format", None) or template_in_tree(scope, router)
        if template is None:
            return None
    # Only a Mount sets app_root_path, to what root_path was before: root_path then goes on with
    # the matched piece of the request's path.
    root = scope.get("app_root_path")
    if root is None:
        root = scope.get("root_path")
    return application_root(root) + template if root else template


def note_scope(current: Current, scope: Scope) -> None:
    """A router is about to leave its route in ``scope``, which a middleware has copied from that of the request.

    Does nothing once a route is known: what a handler calls with a copy of its scope is not what the client has asked for.
    """
    if not current.is_for(scope) and scope.get("asgi") is not current.scope.get("asgi"):
        return  # of a request that was made up in this one
    if not (current.route or name_route(current.scope) or name_noted(current)):
        current.carried = {**(current.carried or {}), _CARRIED: scope}


def name_noted(current: Current) -> str | None:
    """`name_route` of the scope that was noted, for a request whose own has no route."""
    scope = current.carried.get(_CARRIED) if current.carried else None
    return name_route(scope) if isinstance(scope, dict) else None


def route_in_scopes(current: Current) -> str:
    """What the scopes of a request that is under way say of its route, empty where they say nothing. Any thread."""
    try:
        return name_route(current.scope) or name_noted(current) or ""
    except Exception:  # the app may be changing its scope, and our own failures are told at the end
        return ""


def under_root(scope: Scope, template: str) -> str:
    """``template`` with the application root of ``scope`` in front."""
    root = scope.get("app_root_path")
    if root is None:
        root = scope.get("root_path")
    return application_root(root) + template if root else template


def application_root(root: str) -> str:
    """``root`` without a slash at its end; nothing once `ROOTS_KEPT` others were seen.

    A root is a deployment's setting, so one or two are what a process sees. But some let the
    client choose it: daphne takes the request header ``Daphne-Root-Path``, proxies' middlewares
    take ``X-Forwarded-Prefix``, and a foreign framework that mounts this app may put matched
    pieces of the path there. They must not become routes without end.
    """
    known = _roots.get(root)
    if known is not None:
        return known
    if len(_roots) >= ROOTS_KEPT or len(root) > _ROOT_LENGTH:
        return ""
    return _roots.setdefault(root, root.rstrip("/"))
