"""Route templates of Quart apps."""

from __future__ import annotations

from pathlib import Path

import pytest
from quart import Blueprint, Quart, websocket

from stethoscope.names import UNMATCHED_ROUTE
from tests.middleware.observed import Observed


def make_app() -> Quart:
    app = Quart(__name__, static_url_path="/static", static_folder=str(Path(__file__).parent))
    inner = Blueprint("inner", __name__, url_prefix="/inner")
    outer = Blueprint("outer", __name__, url_prefix="/outer/<tenant>")

    @app.route("/items/<int:number>")
    @app.route("/folder/", defaults={"number": 0})
    @inner.route("/items/<int:number>")
    async def item(number: int, **_: str) -> str:
        return "ok"

    @app.route("/boom/<int:number>")
    async def boom(number: int) -> str:
        raise KeyError("boom")

    @app.websocket("/talk/<int:number>")
    async def talk(number: int) -> None:
        await websocket.accept()

    @app.before_request
    async def refuse() -> tuple[str, int] | None:
        from quart import request

        return ("no", 401) if "refuse" in request.args else None

    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    return app


def test_routes_have_the_rule_that_quart_has(tmp_path: Path) -> None:
    app = Observed(make_app(), tmp_path)
    assert app.get("/items/7") == (200, "/items/<int:number>")
    assert app.get("/boom/7") == (500, "/boom/<int:number>")
    assert app.error_types() == {"KeyError"}
    assert app.websocket("/talk/7") == "/talk/<int:number>"
    assert app.get("/static/observed.py") == (200, "/static/<path:filename>")


def test_a_request_that_is_refused_before_its_view_has_its_route(tmp_path: Path) -> None:
    app = Observed(make_app(), tmp_path)
    assert app.get("/items/7", query_string=b"refuse=1") == (401, "/items/<int:number>")


def test_blueprints_have_their_prefixes(tmp_path: Path) -> None:
    """B15"""
    app = Observed(make_app(), tmp_path)
    assert app.get("/outer/acme/inner/items/7") == (200, "/outer/<tenant>/inner/items/<int:number>")


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("GET", "/folder"), ("POST", "/items/7")])
def test_what_quart_has_no_rule_for_has_none(method: str, path: str, tmp_path: Path) -> None:
    """B15"""
    assert Observed(make_app(), tmp_path).request(method, path)[1] == UNMATCHED_ROUTE


def test_the_application_root_is_part_of_a_route(tmp_path: Path) -> None:
    """B15"""
    app = Observed(make_app(), tmp_path)
    assert app.get("/shop/items/7", root_path="/shop") == (200, "/shop/items/<int:number>")
