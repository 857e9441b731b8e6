"""Route templates of Starlette apps."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from stethoscope import Stethoscope
from stethoscope.middleware import routes as routes_module
from stethoscope.middleware.exchange import Exchange
from stethoscope.names import UNMATCHED_ROUTE
from tests.middleware.observed import Observed, call, http_scope
from tests.scrape import TOKEN


async def ok(request: Request) -> Response:
    return PlainTextResponse("ok")


async def boom(request: Request) -> Response:
    raise KeyError("boom")


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.receive()


@pytest.fixture
def no_roots_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process keeps the first few application roots it sees; other tests have roots too."""
    monkeypatch.setattr(routes_module, "_roots", {})


def hidden(app: ASGIApp) -> ASGIApp:
    """``app`` behind a callable that does not say what it wraps."""

    async def wrapper(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return wrapper


def test_a_parameter_is_a_placeholder_whatever_its_convertor(tmp_path: Path) -> None:
    routes = [Route("/items/{number:int}", ok), Route("/files/{name:path}", ok), Route("/ids/{id:uuid}", ok)]
    app = Observed(Starlette(routes=routes), tmp_path)
    assert app.get("/items/7") == (200, "/items/{number}")
    assert app.get("/files/a/b/c") == (200, "/files/{name}")
    assert app.get("/ids/67a5eb08-6a3c-4b0f-9d4c-3f0a3b1c2d3e") == (200, "/ids/{id}")


@pytest.mark.parametrize("path", ["/nothing", "/items/none", "/items/7/", "/items/7/more"])
def test_what_matches_no_route_has_none(path: str, tmp_path: Path) -> None:
    """B15"""
    app = Observed(Starlette(routes=[Route("/items/{number:int}", ok)]), tmp_path)
    assert app.get(path)[1] == UNMATCHED_ROUTE


def test_a_405_and_an_exception_have_their_route(tmp_path: Path) -> None:
    """B15"""
    app = Observed(Starlette(routes=[Route("/boom/{number}", boom)]), tmp_path)
    assert app.request("POST", "/boom/7") == (405, "/boom/{number}")
    assert app.get("/boom/7") == (500, "/boom/{number}")


def test_a_mount_with_parameters_does_not_show_what_it_matched(tmp_path: Path) -> None:
    """B15"""
    teams = Mount("/teams/{team}", routes=[Route("/members/{number}", ok)])
    tenant = Starlette(routes=[Route("/", ok), Route("/users/{number}", ok), teams])
    app = Observed(Starlette(routes=[Mount("/tenants/{tenant}", app=tenant)]), tmp_path)
    assert app.get("/tenants/acme/") == (200, "/tenants/{tenant}/")
    assert app.get("/tenants/acme/users/7") == (200, "/tenants/{tenant}/users/{number}")
    path = "/tenants/acme/teams/blue/members/7"
    assert app.get(path) == (200, "/tenants/{tenant}/teams/{team}/members/{number}")
    assert app.request("POST", "/tenants/acme/users/7") == (405, "/tenants/{tenant}/users/{number}")
    assert app.get("/tenants/acme/nothing") == (404, UNMATCHED_ROUTE)
    assert app.get("/tenants/acme/users/7/") == (307, UNMATCHED_ROUTE)


def test_an_app_mounted_twice_has_the_prefix_by_which_it_was_reached(tmp_path: Path) -> None:
    sub = Starlette(routes=[Route("/users/{number}", ok)])
    routes = [Mount("/old", app=sub), Mount("/tenants/{tenant}", app=sub), Mount("/new", app=Router(sub.routes))]
    app = Observed(Starlette(routes=routes), tmp_path)
    assert app.get("/old/users/7") == (200, "/old/users/{number}")
    assert app.get("/tenants/acme/users/7") == (200, "/tenants/{tenant}/users/{number}")
    assert app.get("/new/users/7") == (200, "/new/users/{number}")


def test_a_route_mounted_after_the_first_request_is_found(tmp_path: Path) -> None:
    inner = Starlette(routes=[Mount("/a/{x}", routes=[Route("/b", ok)])])
    app = Observed(inner, tmp_path)
    assert app.get("/a/1/b") == (200, "/a/{x}/b")
    inner.mount("/c/{y}", Router([Route("/d", ok)]))
    assert app.get("/c/1/d") == (200, "/c/{y}/d")


def test_static_files_are_one_route(tmp_path: Path) -> None:
    """A14"""
    static = StaticFiles(directory=Path(__file__).parent)
    app = Observed(Starlette(routes=[Mount("/static", app=static)]), tmp_path)
    assert app.get("/static/observed.py") == (200, "/static/{path}")
    assert app.get("/static/nothing") == (404, "/static/{path}")


def test_a_mount_is_seen_through_its_middlewares(tmp_path: Path) -> None:
    routes = [Route("/users/{number}", ok)]
    wrapped = Mount("/a/{x}", app=GZipMiddleware(Starlette(routes=routes)))
    listed = Mount("/b/{x}", routes=routes, middleware=[Middleware(GZipMiddleware)])
    app = Observed(Starlette(routes=[wrapped, listed]), tmp_path)
    assert app.get("/a/1/users/7") == (200, "/a/{x}/users/{number}")
    assert app.get("/b/1/users/7") == (200, "/b/{x}/users/{number}")


def test_below_a_mount_that_hides_its_app_as_much_is_said_as_is_known(tmp_path: Path) -> None:
    inner = Starlette(routes=[Route("/users/{number}", ok), Mount("/deep/{z}", routes=[Route("/{number}", ok)])])
    routes = [Route("/users", ok), Mount("/hidden/{x}", app=hidden(inner))]
    app = Observed(Starlette(routes=routes), tmp_path)
    assert app.get("/hidden/1/users/7") == (200, "/hidden/{x}/users/{number}")
    assert app.get("/hidden/1/deep/2/7") == (200, "/hidden/{x}/{path}")
    assert app.get("/hidden/1/nothing") == (404, "/hidden/{x}/{path}")


def test_an_app_that_makes_its_routes_anew_is_not_searched_for_ever(tmp_path: Path) -> None:
    async def anew(scope: Scope, receive: Receive, send: Send) -> None:
        await Starlette(routes=[Route("/{number}", lambda request: PlainTextResponse("ok"))])(scope, receive, send)

    class Routes(list[Mount]):
        looks = 0

        def __iter__(self):  # type: ignore[no-untyped-def] # the parent's is generic
            Routes.looks += 1
            return super().__iter__()

    app = Starlette()
    app.router.routes = Routes([Mount("/anew", app=anew)])  # type: ignore[assignment]
    observed = Observed(app, tmp_path)
    for _ in range(300):
        call(observed.app, http_scope("GET", "/anew/7"))
    # One look a request is the router's own.
    assert Routes.looks < 400
    assert observed.get("/anew/7") == (200, "/anew/{number}")


def test_hosts_are_no_part_of_a_route(tmp_path: Path) -> None:
    """A14"""
    api = Router([Route("/users/{number}", ok), Mount("/a/{x}", routes=[Route("/b", ok)])])
    app = Observed(Starlette(routes=[Host("{sub}.example.org", app=api)]), tmp_path)
    headers = [(b"host", b"evil.example.org")]
    assert app.get("/users/7", headers=headers) == (200, "/users/{number}")
    assert app.get("/a/1/b", headers=headers) == (200, "/a/{x}/b")
    assert app.get("/nothing", headers=headers) == (404, UNMATCHED_ROUTE)


@pytest.mark.usefixtures("no_roots_yet")
def test_the_application_root_is_part_of_a_route(tmp_path: Path) -> None:
    """B15. OpenTelemetry HTTP conventions, `http.route`: it should include the application root."""
    sub = Mount("/tenants/{tenant}", routes=[Route("/users/{number}", ok)])
    app = Observed(Starlette(routes=[Route("/items/{number}", ok), sub]), tmp_path)
    assert app.get("/shop/items/7", root_path="/shop") == (200, "/shop/items/{number}")
    assert app.get("/items/7", root_path="/shop/") == (200, "/shop/items/{number}")
    path = "/shop/tenants/acme/users/7"
    assert app.get(path, root_path="/shop") == (200, "/shop/tenants/{tenant}/users/{number}")


@pytest.mark.usefixtures("no_roots_yet")
def test_invented_application_roots_leave_the_number_of_routes_bounded(tmp_path: Path) -> None:
    """A14: daphne lets a request header choose the root."""
    app = Observed(Starlette(routes=[Route("/items/{number}", ok)]), tmp_path)
    routes = {app.get("/items/7", root_path=f"/root{number}")[1] for number in range(30)}
    assert len(routes) <= 10
    assert "/items/{number}" in routes


def test_an_app_inside_of_a_mount_of_an_app_without_the_layer_has_its_whole_route(tmp_path: Path) -> None:
    app = Observed(Starlette(routes=[Route("/users/{number}", ok)]), tmp_path)
    outer = Starlette(routes=[Mount("/tenants/{tenant}", app=app.app)])
    call(outer, http_scope("GET", "/tenants/acme/users/7"))
    before = app._routes("http_server_request_duration_seconds_count")
    assert list(before) == ["/tenants/{tenant}/users/{number}"]


class Copying:
    """Gives the app a copy of the scope, as the ASGI specification asks of those who change it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "user": "somebody"}, receive, send)


class Renaming(Copying):
    """Also with headers of its own."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "headers": [*scope["headers"], (b"x-user", b"1")]}, receive, send)


@pytest.mark.parametrize("between", [Copying, Renaming, hidden])
def test_middlewares_may_copy_the_scope(between: Callable[[ASGIApp], ASGIApp], tmp_path: Path) -> None:
    """B15: also in what is mounted, and around it."""

    def twice(app: ASGIApp) -> ASGIApp:
        return between(Copying(app))

    routes = [Route("/users/{number}", ok), WebSocketRoute("/talk/{number}", talk)]
    inner = Starlette(routes=routes, middleware=[Middleware(twice)])
    listed = Mount("/listed/{x}", routes=routes, middleware=[Middleware(Copying)])
    app = Starlette(routes=[Route("/boom", boom), *routes, listed], middleware=[Middleware(twice)])
    observed = Observed(app, tmp_path)
    app.mount("/inner/{x}", Copying(inner))
    assert observed.get("/users/7") == (200, "/users/{number}")
    assert observed.get("/boom") == (500, "/boom")
    assert observed.request("POST", "/users/7") == (405, "/users/{number}")
    assert observed.get("/listed/1/users/7") == (200, "/listed/{x}/users/{number}")
    assert observed.get("/inner/1/users/7") == (200, "/inner/{x}/users/{number}")
    assert observed.get("/inner/1/nothing") == (404, UNMATCHED_ROUTE)
    assert observed.get("/nothing") == (404, UNMATCHED_ROUTE)
    assert observed.websocket("/talk/7") == "/talk/{number}"
    assert observed.websocket("/inner/1/talk/7") == "/inner/{x}/talk/{number}"


def test_middlewares_inside_of_the_layer_may_copy_the_scope(tmp_path: Path) -> None:
    app = Starlette(
        routes=[Route("/users/{number}", ok)],
        middleware=[Middleware(Stethoscope, token=TOKEN, dir=tmp_path), Middleware(Copying)],
    )
    alone = Router([Route("/users/{number}", ok)])
    for observed in (Observed(app, tmp_path), Observed(Copying(alone), tmp_path / "other")):
        assert observed.get("/users/7") == (200, "/users/{number}")


def test_what_a_handler_calls_with_a_copy_of_its_scope_is_not_what_was_asked_for(tmp_path: Path) -> None:
    """As one does who serves several requests in one; a call that a middleware makes up is no part of it either."""

    async def batch(request: Request) -> Response:
        for path in ("/users/7", "/users/8"):
            await app(dict(request.scope, path=path), request.receive, nowhere)
        return PlainTextResponse("both")

    async def nowhere(message: Message) -> None:
        pass

    class Asking(Copying):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/batch":
                await app.router(http_scope("GET", "/users/9"), receive, nowhere)
            await super().__call__(scope, receive, send)

    app = Starlette(
        routes=[Route("/users/{number}", ok), Route("/batch", batch)],
        middleware=[Middleware(Asking)],
    )
    assert Observed(app, tmp_path).get("/batch") == (200, "/batch")


def test_a_scope_that_was_noted_is_gone_with_its_request(tmp_path: Path) -> None:
    app = Observed(Starlette(routes=[Route("/users/{number}", ok)], middleware=[Middleware(Copying)]), tmp_path)
    app.get("/users/7")
    gc.collect()
    gc.disable()
    try:
        before = exchanges()
        for _ in range(3):
            call(app.app, http_scope("GET", "/users/7"))
        assert exchanges() == before
    finally:
        gc.enable()


def exchanges() -> int:
    """How many there are, those of other tests included."""
    return sum(
        type(one) is Exchange for one in gc.get_objects()
    )  # others are asked by isinstance(), and some of them fail


def test_websockets_have_routes(tmp_path: Path) -> None:
    mount = Mount("/tenants/{tenant}", routes=[WebSocketRoute("/talk/{number}", talk)])
    app = Observed(Starlette(routes=[WebSocketRoute("/talk/{number}", talk), mount]), tmp_path)
    assert app.websocket("/talk/7") == "/talk/{number}"
    assert app.websocket("/tenants/acme/talk/7") == "/tenants/{tenant}/talk/{number}"
    assert app.websocket("/nothing") == UNMATCHED_ROUTE
