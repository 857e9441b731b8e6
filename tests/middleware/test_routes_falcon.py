"""Route templates of Falcon apps."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from falcon import HTTPUnauthorized
from falcon.asgi import App, Request, Response, WebSocket

from stethoscope.names import UNMATCHED_ROUTE
from tests.middleware.observed import Observed


class Items:
    async def on_get(self, req: Request, resp: Response, number: int) -> None:
        resp.text = "ok"

    async def on_websocket(self, req: Request, ws: WebSocket, number: int) -> None:
        await ws.accept()


class Boom:
    async def on_get(self, req: Request, resp: Response, number: int) -> None:
        raise KeyError("boom")


class Refuses:
    async def process_resource(self, req: Request, resp: Response, resource: object, params: object) -> None:
        raise HTTPUnauthorized


def make_app(*middleware: Refuses, independent: bool = True) -> App[Request, Response]:
    app = App(middleware=list(middleware), independent_middleware=independent)
    app.add_route("/items/{number:int}", Items())
    app.add_route("/boom/{number}", Boom())
    return app


def test_routes_have_the_template_that_falcon_has(tmp_path: Path) -> None:
    app = Observed(make_app(), tmp_path)
    assert app.get("/items/7") == (200, "/items/{number:int}")
    assert app.get("/boom/7") == (500, "/boom/{number}")
    assert app.request("POST", "/items/7") == (405, "/items/{number:int}")
    assert app.websocket("/items/7") == "/items/{number:int}"


@pytest.mark.parametrize("path", ["/nothing", "/items/none", "/items/7/"])
def test_what_falcon_has_no_route_for_has_none(path: str, tmp_path: Path) -> None:
    """B15"""
    assert Observed(make_app(), tmp_path).get(path) == (404, UNMATCHED_ROUTE)


@pytest.mark.parametrize("independent", [True, False])
def test_a_request_that_a_middleware_refuses_has_its_route(independent: bool, tmp_path: Path) -> None:
    app = Observed(make_app(Refuses(), independent=independent), tmp_path)
    assert app.get("/items/7") == (401, "/items/{number:int}")


def test_a_request_that_is_cancelled_has_its_route(tmp_path: Path) -> None:
    class Cancelled:
        async def on_get(self, req: Request, resp: Response) -> None:
            raise asyncio.CancelledError

    falcon = make_app()
    falcon.add_route("/cancelled", Cancelled())
    app = Observed(falcon, tmp_path)
    assert app.get("/cancelled")[1] == "/cancelled"


def test_the_application_root_is_part_of_a_route(tmp_path: Path) -> None:
    """B15"""
    app = Observed(make_app(), tmp_path)
    assert app.get("/items/7", root_path="/shop") == (200, "/shop/items/{number:int}")
