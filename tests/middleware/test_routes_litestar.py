"""Route templates of Litestar apps."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any, cast
from weakref import ReferenceType, ref

import litestar
import pytest
from litestar import Controller, Litestar, Router, WebSocket, asgi, get, websocket
from litestar.exceptions import ServiceUnavailableException
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from stethoscope.names import UNMATCHED_ROUTE
from tests.middleware.observed import Observed, call, http_scope


async def page(request: Request) -> Response:
    return PlainTextResponse("ok")


@get(["/items/{number:int}", "/"])
async def item() -> str:
    return "ok"


@get("/boom/{number:int}")
async def boom() -> str:
    raise KeyError("boom")


@websocket("/talk/{number:int}")
async def talk(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()


def test_routes_have_the_template_that_litestar_has(tmp_path: Path) -> None:
    class Users(Controller):
        path = "/users/{user:str}"

        @get("/orders/{number:int}")
        async def order(self) -> str:
            return "ok"

    app = Observed(Litestar([item, boom, talk, Router("/api", route_handlers=[Users])]), tmp_path)
    assert app.get("/items/7") == (200, "/items/{number}")
    assert app.get("/") == (200, "/")
    assert app.get("/boom/7") == (500, "/boom/{number}")
    assert app.error_types() == {"KeyError"}
    assert app.get("/api/users/ann/orders/7") == (200, "/api/users/{user}/orders/{number}")
    assert app.websocket("/talk/7") == "/talk/{number}"


def test_what_the_app_answers_on_purpose_is_no_exception(tmp_path: Path) -> None:
    @get("/busy")
    async def busy() -> None:
        raise ServiceUnavailableException

    @get("/refused")
    async def refused() -> None:
        raise KeyError

    def refuse(request: object, error: KeyError) -> litestar.Response[str]:
        return litestar.Response("no", status_code=400)

    app = Observed(
        Litestar([busy, Router("/", route_handlers=[refused], exception_handlers={KeyError: refuse})]), tmp_path
    )
    assert app.get("/busy")[0] == 503
    assert app.get("/refused")[0] == 400
    assert app.error_types() == {"503"}


def test_an_exception_that_an_app_answers_is_gone_with_its_request(tmp_path: Path) -> None:
    """Its frames hold what is current: one that is kept there is a cycle, which only the collector can free."""
    left: list[ReferenceType[BaseException]] = []

    @get("/refused")
    async def refused() -> None:
        raise Refused

    class Refused(Exception):
        def __init__(self) -> None:
            left.append(ref(self))

    def refuse(request: object, error: Refused) -> litestar.Response[str]:
        return litestar.Response("no", status_code=400)

    app = Observed(Litestar([refused], exception_handlers={Refused: refuse}), tmp_path)
    app.get("/refused")
    gc.disable()
    try:
        left.clear()
        call(app.app, http_scope("GET", "/refused"))
        assert [one() for one in left] == [None]
    finally:
        gc.enable()


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("GET", "/items/none"), ("POST", "/items/7")])
def test_what_litestar_has_no_route_for_has_none(method: str, path: str, tmp_path: Path) -> None:
    """B15: a 405 is raised before the template is known."""
    assert Observed(Litestar([item]), tmp_path).request(method, path)[1] == UNMATCHED_ROUTE


@pytest.mark.parametrize("copy_scope", [True, False])
def test_mounted_apps_have_their_full_template(copy_scope: bool, tmp_path: Path) -> None:
    """B15, B16: the mounted app may get a copy of the scope."""
    mounted = Mount("/deep/{x}", routes=[Route("/{number}/", page)])
    pages = Starlette(routes=[Route("/pages/{number}/", page), mounted])
    sub = asgi("/sub", is_mount=True, copy_scope=copy_scope)(Litestar([item]))
    other = asgi("/pages", is_mount=True, copy_scope=copy_scope)(pages)
    app = Observed(Litestar([sub, other]), tmp_path)
    assert app.get("/sub/items/7") == (200, "/sub/items/{number}")
    assert app.get("/sub") == (200, "/sub/")
    assert app.get("/pages/pages/7") == (200, "/pages/pages/{number}/")
    assert app.get("/pages/deep/a/7") == (200, "/pages/deep/{x}/{number}/")
    assert app.get("/sub/nothing") == (404, "/sub/{path}")


def test_an_app_mounted_at_several_paths_has_the_one_that_was_asked_for(tmp_path: Path) -> None:
    mount = asgi(["/one", "/two"], is_mount=True, copy_scope=True)(Litestar([item]))
    app = Observed(Litestar([mount]), tmp_path)
    assert app.get("/one/items/7")[1] == "/one/items/{number}"
    assert app.get("/two/items/7")[1] == "/two/items/{number}"


def test_a_litestar_app_in_a_starlette_app_has_its_full_template(tmp_path: Path) -> None:
    litestar = cast("ASGIApp", Litestar([item]))
    app = Observed(
        Starlette(routes=[Mount("/tenants/{tenant}", app=litestar), Mount("/again", app=litestar)]), tmp_path
    )
    assert app.get("/tenants/acme/items/7") == (200, "/tenants/{tenant}/items/{number}")
    assert app.get("/again/items/7") == (200, "/again/items/{number}")


def test_the_application_root_is_part_of_a_route(tmp_path: Path) -> None:
    """B15"""
    sub = asgi("/sub", is_mount=True, copy_scope=True)(Litestar([item]))
    app = Observed(Litestar([item, sub]), tmp_path)
    assert app.get("/shop/items/7", root_path="/shop") == (200, "/shop/items/{number}")
    assert app.get("/shop/sub/items/7", root_path="/shop") == (200, "/shop/sub/items/{number}")
