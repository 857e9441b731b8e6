"""Templates of routes below Starlette's mounts.

A ``Mount`` writes the piece of the path that it matched into ``root_path``, raw: ``/tenants/acme``
for ``/tenants/{tenant}``. So the prefix of a route below it cannot be read from the scope. It is
looked up in the tree of routes, which is read once: what a request costs is one look-up by the
identity of the route that handled it.

Routes are read by their public attributes (``routes``, ``path_format``, ``path_regex``,
``endpoint``, ``app``), never called and never changed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from re import Pattern
from typing import Any, Final, NamedTuple

from stethoscope.asgi import Scope

# On the router, because routers can be neither hashed nor compared by identity in a weak
# dictionary, and what the tree remembers must not outlive them.
_ATTRIBUTE: Final = "_stethoscope_route_tree"

_SCANS: Final = 64
"""How often a tree is read again because a route was not in it: it may have been added later.

An app that makes its routes anew on every request must not cost a scan each."""

_DEPTH: Final = 16
_TAIL: Final = "/{path}"


def template_in_tree(scope: Scope, router: object) -> str | None:
    """Template of the endpoint in ``scope``, from the outermost ``router`` on; None if not found.

    What a mount hands to an app without routes of its own, such as static files, is the mount's
    template and ``/{path}``. What a mounted router found no route for is None.
    """
    endpoint = scope.get("endpoint")
    if endpoint is None:
        return _frontend(scope)
    tree: _RouteTree | None = router.__dict__.get(_ATTRIBUTE)
    if tree is None:
        tree = _RouteTree()
        setattr(router, _ATTRIBUTE, tree)
    route = scope.get("route")
    # FastAPI does not put Starlette's own routes into the scope, and then an outer mount may still
    # stand there.
    key = route if getattr(route, "endpoint", None) is endpoint else endpoint
    entry = tree.entries.get(id(key))
    if entry is None or entry.key is not key:
        entry = tree.learn(router, key)
    return entry.template or tree.search(scope, entry, endpoint)


class _Place(NamedTuple):
    """A route, at one place of the tree. ``mount`` is the template of a mount's own prefix."""

    template: str | None
    patterns: tuple[Pattern[str], ...]
    mount: str | None = None

    def leads(self, scope: Scope) -> bool:
        """Whether the path leads here. For a mount it is what was mounted: an app below may have changed the rest."""
        path = _path_in_app(scope) if self.mount is None else _mounted(scope) + "/"
        return self.rest(path) is not None

    def rest(self, path: str) -> str | None:
        """What the mounts on the way leave of ``path``; None where it does not lead here."""
        for pattern in self.patterns:
            match = pattern.match(path)
            if match is None:
                return None
            path = "/" + match["path"] if "path" in match.re.groupindex else ""
        return path

    def within(self, scope: Scope) -> str | None:
        """Template of what an app below this mount, which is no part of the tree, did."""
        if self.mount is None:
            return self.template
        # Litestar keeps its own account of the route, in the scope that the mount shares with it.
        inner: str | None = scope.get("path_template")
        return self.mount + inner if inner else self.template


class _Entry(NamedTuple):
    """Where ``key``, a route or its endpoint, stands. Nowhere, if it is no part of the tree.

    ``template`` is the answer for every request, where the places alone decide it.
    """

    key: object
    places: tuple[_Place, ...] = ()
    template: str | None = None


class _RouteTree:
    """Where each route of a router stands. Threads may look up at the same time."""

    __slots__ = ("_mounts", "_scans", "entries")

    def __init__(self) -> None:
        self.entries: dict[int, _Entry] = {}
        self._mounts: tuple[_Place, ...] = ()
        self._scans = 0

    def learn(self, router: object, key: object) -> _Entry:
        """The entry of ``key``, from a new look at the tree."""
        if self._scans >= _SCANS:
            return _Entry(key)
        self._scans += 1
        self._scan(getattr(router, "routes", ()))
        # What is not in the tree is remembered as such.
        return self.entries.setdefault(id(key), _Entry(key))

    def search(self, scope: Scope, entry: _Entry, endpoint: object) -> str | None:
        """The template where it depends on the path: which of several places, or beyond them all."""
        for place in entry.places or self.entries.get(id(endpoint), entry).places:
            if place.leads(scope):
                return place.within(scope)
        return self._beyond(scope, entry.key)

    def _scan(self, routes: Iterable[object]) -> None:
        found: dict[int, _Entry] = {}
        mounts: list[_Place] = []
        for keys, place in _walk(routes, "", (), _DEPTH):
            for key in keys:
                known = found.get(id(key), _Entry(key)).places
                if place.template not in [other.template for other in known]:
                    only = place.template if place.mount is None and not known else None
                    found[id(key)] = _Entry(key, (*known, place), only)
            if place.mount is not None:
                mounts.append(place)
        unknown = {key: entry for key, entry in self.entries.items() if not entry.places}
        # The deepest first: of several mounts on the way to a path it says most.
        self._mounts = tuple(sorted(mounts, key=lambda place: -len(place.patterns)))
        self.entries = unknown | found

    def _beyond(self, scope: Scope, key: object) -> str | None:
        """For a route that is not in the tree: what the mounts on the way to it are called.

        Its router is hidden in a callable without ``routes`` or ``app``. Where the mounts that are
        known explain all of ``root_path``, its own template follows; else it is not known how far
        the rest is static.
        """
        mounted = _mounted(scope) + "/"
        for place in self._mounts:
            rest = place.rest(mounted)
            if rest is not None and place.mount is not None:
                own = getattr(key, "path_format", None) if rest == "/" else None
                return place.mount + (own or _TAIL)
        return None


def _walk(
    routes: Iterable[object], prefix: str, patterns: tuple[Pattern[str], ...], depth: int
) -> Iterator[tuple[tuple[object, ...], _Place]]:
    """Every place, with what the scope of a request that ends there may know it by."""
    if depth == 0:
        return
    for route in _flat(routes):
        inner = _routes_below(route)
        if hasattr(route, "host_format"):
            yield (route.app,), _Place(None, patterns)
            yield from _walk(inner, prefix, patterns, depth - 1)
            continue
        template = getattr(route, "path_format", None)
        if not isinstance(template, str):
            continue
        way = (*patterns, route.path_regex)
        endpoint = getattr(route, "endpoint", None)
        if endpoint is not None:
            own = getattr(route, "original_route", route)
            yield (own, endpoint), _Place(prefix + template, way)
            continue
        mount = prefix + template.removesuffix(_TAIL)
        yield (route.app,), _Place(None if inner else mount + _TAIL, way, mount)
        yield from _walk(inner, mount, way, depth - 1)


def _flat(routes: Iterable[object]) -> Iterable[Any]:
    """``routes`` with those of FastAPI's included routers, which since 0.137 are nodes of their own."""
    fastapi = sys.modules.get("fastapi.routing")
    flatten = getattr(fastapi, "iter_route_contexts", None)
    return flatten(routes) if flatten is not None else routes


def _routes_below(route: Any) -> list[object]:
    """Routes of what a mount or a host leads to, through middlewares that keep a public ``app``."""
    if getattr(route, "endpoint", None) is not None:
        return []
    app: object = route
    for _ in range(_DEPTH):
        routes = getattr(app, "routes", None)
        if routes:
            # Other frameworks have ``routes`` of another kind.
            return [inner for inner in routes if hasattr(inner, "matches")]
        app = getattr(app, "app", None)
        if app is None:
            break
    return []


def _root(scope: Scope) -> str:
    root = scope.get("app_root_path")
    return str(scope.get("root_path", "") if root is None else root)


def _mounted(scope: Scope) -> str:
    """The raw piece of the path that mounts have matched."""
    return str(scope.get("root_path", "")).removeprefix(_root(scope))


def _path_in_app(scope: Scope) -> str:
    return str(scope["path"]).removeprefix(_root(scope))


def _frontend(scope: Scope) -> str | None:
    """FastAPI's ``app.frontend()`` leaves only which file is meant, below its configured path."""
    file = scope.get("fastapi", {}).get("frontend_path")
    if not isinstance(file, str):
        return None
    return _path_in_app(scope).removesuffix(file).rstrip("/") + _TAIL
