"""What every app in this folder serves, and how its framework calls the routes.

The paths are the same in each app:

  /items/7        200
  /only-post      200 to POST, 405 to GET where the framework knows methods
  /boom/7         raises KeyError
  /broken/7       raises RuntimeError after the first of several parts
  /endless        parts for some seconds, 10 ms apart
  /slow           responds when the client has left, or after some seconds
  /background     responds at once, then works for 300 ms
  /stream         30 bytes in 3 parts, without a length
  /upload         reads the body in parts and responds with its length
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

from stethoscope.names import UNMATCHED_ROUTE

PARTS = [b"0123456789"] * 3
BACKGROUND_SECONDS = 0.3
SLOW_SECONDS = 2.0
ENDLESS_PARTS = 200


@dataclass(frozen=True, slots=True)
class Contract:
    """One app. ``template`` is how the framework writes a route with the parameter ``number``.

    ``nested`` are routes in included routers and mounted apps, by path. ``redirect`` is a path
    that is answered with a redirect to one with a slash more or less. ``method_known`` says whether
    the route of a 405 is known, ``tells_exceptions`` whether the framework tells anybody of
    an exception that it made a 500 of, ``broken`` what it raises when a stream fails. Features
    that a framework does not have are False; ``background_in_request`` is where they run before
    the app returns. A framework that does not notice that a client has left completes its response.
    """

    module: str
    template: str = "{number}"
    nested: Mapping[str, str] = field(default_factory=dict)
    redirect: str = ""
    slash: str = ""
    method_known: bool = True
    matches: bool = True
    background: bool = True
    background_in_request: bool = True
    tells_exceptions: bool = True
    broken: str = "RuntimeError"
    notices_leaving: bool = True

    @property
    def app(self) -> str:
        return f"tests.apps.{self.module}:app"

    @property
    def name(self) -> str:
        return self.module.removesuffix("_app")

    def path(self, path: str) -> str:
        """``path`` as this app has it: Django's end with a slash."""
        return path + self.slash

    def route(self, path: str) -> str:
        """The template of ``path``, in which ``7`` stands for the parameter."""
        if not self.matches:
            return UNMATCHED_ROUTE
        return self.path(path).replace("/7", "/" + self.template)


STARLETTE = Contract(
    "starlette_app",
    nested={
        "/tenants/acme/users/7": "/tenants/{tenant}/users/{number}",
        "/tenants/acme/teams/blue/members/7": "/tenants/{tenant}/teams/{team}/members/{number}",
        "/again/users/7": "/again/users/{number}",
        "/static/contract.py": "/static/{path}",
    },
    redirect="/items/7/",
)
FASTAPI = Contract(
    "fastapi_app",
    nested={
        "/api/v1/users/7": "/api/v1/users/{number}",
        "/api/eu/users/7": "/api/{region}/users/{number}",
        "/sub/acme/things/7": "/sub/{tenant}/things/{number}",
        "/sub/acme/included/things/7": "/sub/{tenant}/included/things/{number}",
        "/starlette/pages/7": "/starlette/pages/{number}",
        "/plain/7": "/plain/{number}",
        "/openapi.json": "/openapi.json",
    },
    redirect="/items/7/",
)
LITESTAR = Contract(
    "litestar_app",
    nested={
        "/api/users/7": "/api/users/{number}",
        "/sub/items/7": "/sub/items/{number}",
        "/starlette/pages/7": "/starlette/pages/{number}/",
    },
    method_known=False,
    broken="litestar.exceptions.base_exceptions.LitestarException",
)
QUART = Contract(
    "quart_app",
    template="<int:number>",
    nested={"/api/users/7": "/api/users/<int:number>"},
    redirect="/folder",
    method_known=False,
    background_in_request=False,
    # From then on, what handles a request is a task of a group.
    broken="ExceptionGroup" if tuple(map(int, version("quart").split(".")[:2])) >= (0, 23) else "RuntimeError",
)
DJANGO = Contract(
    "django_app",
    template="<int:number>",
    nested={
        "/api/users/7/": "/api/users/<int:number>/",
        "/api/sync/7/": "/api/sync/<int:number>/",
        "/api/archive/2003/": "/api/archive/(?P<year>[0-9]{4})/$",
        "/en/about/": "/en/about/",
    },
    redirect="/items/7",
    slash="/",
    background=False,
    background_in_request=False,
)
FALCON = Contract(
    "falcon_app",
    template="{number:int}",
    nested={"/api/users/7": "/api/users/{number:int}"},
    background_in_request=False,
    tells_exceptions=False,
    notices_leaving=False,
)
BARE = Contract("bare_app", matches=False, method_known=False)

CONTRACTS = (STARLETTE, FASTAPI, LITESTAR, QUART, DJANGO, FALCON, BARE)
