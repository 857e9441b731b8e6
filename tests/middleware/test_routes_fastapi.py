"""Route templates of FastAPI apps: what they add to Starlette's."""

from __future__ import annotations

import warnings
from pathlib import Path

from fastapi import APIRouter, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from stethoscope.names import UNMATCHED_ROUTE
from tests.middleware.observed import Observed


async def ok() -> str:
    return "ok"


async def plain(request: Request) -> Response:
    return PlainTextResponse("ok")


def users() -> APIRouter:
    router = APIRouter(prefix="/users")
    router.add_api_route("", ok)
    router.add_api_route("/{number}", ok)
    router.add_route("/plain/{number}", plain)
    router.mount("/mounted/{x}", Starlette(routes=[Route("/{number}", plain)]))

    @router.websocket("/talk/{number}")
    async def talk(websocket: WebSocket, number: int) -> None:
        await websocket.accept()

    return router


def test_an_included_router_has_its_prefixes(tmp_path: Path) -> None:
    """B15: since 0.137 an included router is a node of its own, without a path."""
    outer = APIRouter(prefix="/v1")
    outer.include_router(users())
    app = FastAPI()
    app.include_router(outer, prefix="/api")
    app.include_router(users(), prefix="/{region}")
    observed = Observed(app, tmp_path)
    assert observed.get("/api/v1/users/7") == (200, "/api/v1/users/{number}")
    assert observed.get("/api/v1/users") == (200, "/api/v1/users")
    assert observed.get("/eu/users/7") == (200, "/{region}/users/{number}")
    assert observed.request("POST", "/eu/users/7") == (405, "/{region}/users/{number}")
    assert observed.get("/eu/plain/7") == (200, "/{region}/plain/{number}")
    assert observed.get("/eu/mounted/a/7") == (200, "/{region}/mounted/{x}/{number}")
    assert observed.websocket("/eu/users/talk/7") == "/{region}/users/talk/{number}"
    assert observed.get("/eu/users/7/") == (307, UNMATCHED_ROUTE)


def test_middlewares_may_copy_the_scope(tmp_path: Path) -> None:
    """B15: with routes that are included, and in an app that is mounted."""

    class Copying:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self.app({**scope, "client": ("10.0.0.1", 1)}, receive, send)

    app, inner = FastAPI(), FastAPI()
    for one in (app, inner):
        one.include_router(users(), prefix="/{region}")
        one.add_middleware(Copying)
    observed = Observed(app, tmp_path)
    app.mount("/inner/{x}", inner)
    assert observed.get("/eu/users/7") == (200, "/{region}/users/{number}")
    assert observed.get("/eu/plain/7") == (200, "/{region}/plain/{number}")
    assert observed.get("/eu/mounted/a/7") == (200, "/{region}/mounted/{x}/{number}")
    assert observed.get("/inner/1/eu/users/7") == (200, "/inner/{x}/{region}/users/{number}")
    assert observed.websocket("/eu/users/talk/7") == "/{region}/users/talk/{number}"
    assert observed.get("/eu/nothing") == (404, UNMATCHED_ROUTE)


def test_one_router_included_twice_has_the_prefix_by_which_it_was_reached(tmp_path: Path) -> None:
    router = users()
    sub = FastAPI()
    sub.include_router(router)
    sub.include_router(router, prefix="/again")
    app = FastAPI()
    app.include_router(router, prefix="/a")
    app.include_router(router, prefix="/b")
    app.mount("/sub/{tenant}", sub)
    observed = Observed(app, tmp_path)
    assert observed.get("/a/users/7")[1] == "/a/users/{number}"
    assert observed.get("/b/users/7")[1] == "/b/users/{number}"
    assert observed.get("/sub/acme/users/7")[1] == "/sub/{tenant}/users/{number}"
    assert observed.get("/sub/acme/again/users/7")[1] == "/sub/{tenant}/again/users/{number}"
    assert observed.websocket("/sub/acme/again/users/talk/7") == "/sub/{tenant}/again/users/talk/{number}"


def test_mounted_apps_of_both_kinds_have_their_full_template(tmp_path: Path) -> None:
    """B15"""
    inner = FastAPI()
    inner.add_api_route("/things/{number}", ok)
    sub = FastAPI()
    sub.add_api_route("/things/{number}", ok)
    sub.mount("/inner/{x}", inner)
    app = FastAPI()
    app.mount("/sub/{tenant}", sub)
    app.mount("/starlette", Starlette(routes=[Mount("/m/{y}", routes=[Route("/pages/{number}", plain)])]))
    app.mount("/static", StaticFiles(directory=Path(__file__).parent))
    observed = Observed(app, tmp_path)
    assert observed.get("/sub/acme/things/7") == (200, "/sub/{tenant}/things/{number}")
    assert observed.request("POST", "/sub/acme/things/7") == (405, "/sub/{tenant}/things/{number}")
    assert observed.get("/sub/acme/nothing") == (404, UNMATCHED_ROUTE)
    assert observed.get("/sub/acme/inner/1/things/7") == (200, "/sub/{tenant}/inner/{x}/things/{number}")
    assert observed.get("/sub/acme/openapi.json") == (200, "/sub/{tenant}/openapi.json")
    assert observed.get("/starlette/m/1/pages/7") == (200, "/starlette/m/{y}/pages/{number}")
    assert observed.get("/static/observed.py") == (200, "/static/{path}")


def test_a_fastapi_app_in_a_starlette_app_has_its_full_template(tmp_path: Path) -> None:
    sub = FastAPI()
    sub.include_router(users(), prefix="/api")
    observed = Observed(Starlette(routes=[Mount("/sub/{tenant}", app=sub)]), tmp_path)
    assert observed.get("/sub/acme/api/users/7") == (200, "/sub/{tenant}/api/users/{number}")
    assert observed.get("/sub/acme/docs") == (200, "/sub/{tenant}/docs")


def test_a_fastapi_app_of_a_host_has_its_template(tmp_path: Path) -> None:
    sub = FastAPI()
    sub.include_router(users(), prefix="/api")
    observed = Observed(Starlette(routes=[Host("{sub}.example.org", app=sub)]), tmp_path)
    headers = [(b"host", b"a.example.org")]
    assert observed.get("/api/users/7", headers=headers) == (200, "/api/users/{number}")
    assert observed.get("/docs", headers=headers) == (200, "/docs")


def test_one_function_at_several_paths_has_the_path_that_was_asked_for(tmp_path: Path) -> None:
    sub = FastAPI()
    for path in ("/a/{number}", "/b/{number}"):
        sub.add_api_route(path, ok)
        sub.add_route(f"/plain{path}", plain)
    app = FastAPI()
    app.mount("/sub", sub)
    observed = Observed(app, tmp_path)
    assert observed.get("/sub/b/7") == (200, "/sub/b/{number}")
    assert observed.get("/sub/plain/b/7") == (200, "/sub/plain/b/{number}")
    assert observed.get("/sub/a/7") == (200, "/sub/a/{number}")


def test_routes_that_are_starlettes_have_their_template(tmp_path: Path) -> None:
    app = FastAPI()
    app.add_route("/plain/{number}", plain)
    observed = Observed(app, tmp_path)
    assert observed.get("/plain/7") == (200, "/plain/{number}")
    assert observed.request("PATCH", "/plain/7") == (405, "/plain/{number}")
    assert observed.get("/docs") == (200, "/docs")


def test_a_request_that_fails_validation_has_its_template(tmp_path: Path) -> None:
    app = FastAPI()

    @app.get("/items/{number}")
    async def item(number: int) -> int:
        return number

    observed = Observed(app, tmp_path)
    assert observed.get("/items/none") == (422, "/items/{number}")


def test_a_root_path_given_to_the_app_is_part_of_a_route(tmp_path: Path) -> None:
    """B15"""
    with warnings.catch_warnings():
        # Deprecated since FastAPI 0.16x, and in use everywhere.
        warnings.simplefilter("ignore")
        app = FastAPI(root_path="/shop")
    app.include_router(users(), prefix="/api")
    sub = FastAPI()
    sub.add_api_route("/things/{number}", ok)
    app.mount("/sub/{tenant}", sub)
    observed = Observed(app, tmp_path)
    assert observed.get("/api/users/7") == (200, "/shop/api/users/{number}")
    assert observed.get("/shop/api/users/7") == (200, "/shop/api/users/{number}")
    assert observed.get("/shop/sub/acme/things/7") == (200, "/shop/sub/{tenant}/things/{number}")


def test_a_frontend_is_one_route(tmp_path: Path) -> None:
    """A14"""
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "index.html").write_text("ok")
    app = FastAPI()
    app.frontend("/ui", directory=pages)
    segments = tmp_path / "segments"
    segments.mkdir(mode=0o700)
    observed = Observed(app, segments)
    assert observed.get("/ui/index.html") == (200, "/ui/{path}")
    assert observed.get("/ui/no/such/file.js") == (404, "/ui/{path}")
    assert observed.get("/nothing") == (404, UNMATCHED_ROUTE)
