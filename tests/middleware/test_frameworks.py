"""Installing into apps of every framework, and into callables of every kind."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from pathlib import Path
from typing import cast

import pytest
from falcon.asgi import App
from fastapi import FastAPI
from litestar import Litestar, get
from quart import Quart
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

import stethoscope
from stethoscope.middleware.frameworks import observe_routes
from tests.middleware.observed import Observed, call, http_scope
from tests.scrape import TOKEN


async def ok(request: Request) -> Response:
    return PlainTextResponse("ok")


def make_starlette() -> Starlette:
    return Starlette(routes=[Route("/items/{number}", ok)])


def make_fastapi() -> FastAPI:
    app = FastAPI()
    app.add_route("/items/{number}", ok)
    return app


def make_litestar() -> ASGIApp:
    @get("/items/{number:int}")
    async def item() -> str:
        return "ok"

    return cast("ASGIApp", Litestar([item]))


def make_quart() -> ASGIApp:
    app = Quart(__name__)

    @app.route("/items/<int:number>")
    async def item(number: int) -> str:
        return "ok"

    return cast("ASGIApp", app)


def make_falcon() -> ASGIApp:
    return cast("ASGIApp", App())


async def respond(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


IN_PLACE = [make_starlette, make_fastapi, make_litestar, make_quart]


@pytest.mark.parametrize("make_app", IN_PLACE)
def test_an_app_that_has_a_place_for_layers_stays_itself(make_app: Callable[[], ASGIApp], tmp_path: Path) -> None:
    app = make_app()
    assert stethoscope.install(app, dir=tmp_path) is app


@pytest.mark.parametrize("make_app", [*IN_PLACE, make_falcon, lambda: respond])
def test_installing_twice_adds_one_layer(make_app: Callable[[], ASGIApp], tmp_path: Path) -> None:
    """B17"""
    app = Observed(make_app(), tmp_path)
    assert stethoscope.install(app.app, dir=tmp_path) is app.app
    # Fails where one request is recorded twice.
    app.get("/items/7")
    assert stethoscope.install(app.app, dir=tmp_path) is app.app
    app.get("/items/7")


@pytest.mark.parametrize("make_app", IN_PLACE)
def test_a_mistake_in_the_settings_shows_at_install(make_app: Callable[[], ASGIApp]) -> None:
    with pytest.raises(stethoscope.SettingsError):
        stethoscope.install(make_app(), headers=["x-nonsense"])


def test_the_layer_is_outside_of_middlewares_added_after_it(tmp_path: Path) -> None:
    class Refuses:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await PlainTextResponse("no", 403)(scope, receive, send)

    app = make_starlette()
    observed = Observed(app, tmp_path)
    app.add_middleware(Refuses)
    messages = call(observed.app, http_scope("GET", "/items/7"))
    assert messages[0]["status"] == 403
    assert b"x-request-id" in dict(messages[0]["headers"])


def test_the_layer_goes_around_a_stack_that_is_built(tmp_path: Path) -> None:
    app = make_starlette()
    call(app, http_scope("GET", "/items/7"))
    observed = Observed(app, tmp_path)
    assert observed.get("/items/7") == (200, "/items/{number}")
    app.middleware_stack = None
    assert observed.get("/items/7") == (200, "/items/{number}")


def test_the_500_of_an_unhandled_exception_has_our_headers(tmp_path: Path) -> None:
    async def boom(request: Request) -> Response:
        raise KeyError("boom")

    app = stethoscope.install(Starlette(routes=[Route("/", boom)]), dir=tmp_path)
    sent: list[dict[str, object]] = []

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        async def noted(message: object) -> None:
            sent.append(cast("dict[str, object]", message))

        await app(scope, receive, noted)

    with pytest.raises(KeyError):
        call(noting, http_scope("GET", "/"))
    assert sent[0]["status"] == 500
    assert b"x-request-id" in dict(cast("list[tuple[bytes, bytes]]", sent[0]["headers"]))


def test_a_wrapper_names_routes_as_the_app_in_place_does(tmp_path: Path) -> None:
    wrapper = stethoscope.Stethoscope(make_quart(), token=TOKEN, dir=tmp_path)
    assert Observed(wrapper, tmp_path).get("/items/7") == (200, "/items/<int:number>")


class Instance:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await respond(scope, receive, send)

    async def method(self, scope: Scope, receive: Receive, send: Send) -> None:
        await respond(scope, receive, send)


class Unhashable(Instance):
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return False


class Awaited:
    """Called with all three, and awaited: Starlette's endpoint classes are like this."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.coroutine = respond(scope, receive, send)

    def __await__(self) -> object:
        return self.coroutine.__await__()


async def with_more(more: object, scope: Scope, receive: Receive, send: Send) -> None:
    await respond(scope, receive, send)


@wraps(lambda scope: None)  # as an adapter of an ASGI 2 app may
async def adapted(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(scope, receive, send)


KINDS: dict[str, object] = {
    "function": respond,
    "instance": Instance(),
    "method": Instance().method,
    "unhashable": Unhashable(),
    "class": Awaited,
    "partial": partial(with_more, 1),
    "partial of partial": partial(partial(respond)),
    "adapter": adapted,
}


@pytest.mark.parametrize("app", KINDS.values(), ids=KINDS)
def test_callables_of_every_kind_can_be_wrapped(app: ASGIApp, tmp_path: Path) -> None:
    """B20"""
    assert Observed(app, tmp_path).get("/items/7") == (200, "__unmatched__")


class Asgi2:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, receive: Receive, send: Send) -> None: ...


def asgi2(scope: Scope) -> Callable[[Receive, Send], Awaitable[None]]:
    return Asgi2(scope)


@pytest.mark.parametrize("app", [Asgi2, asgi2, partial(asgi2)], ids=["class", "function", "partial"])
def test_an_asgi_2_app_is_refused_with_what_to_do(app: object) -> None:
    """B20"""
    with pytest.raises(TypeError, match=r"ASGI 2 application.*guarantee_single_callable\(app\)"):
        stethoscope.install(cast("ASGIApp", app))


def test_a_wsgi_app_is_refused_with_what_to_do() -> None:
    """B20"""
    with pytest.raises(TypeError, match=r"WSGI application.*a2wsgi\.WSGIMiddleware\(app\)"):
        stethoscope.install(cast("ASGIApp", lambda environ, start_response: []))


@pytest.mark.parametrize("app", [None, "tests.apps.bare_app:app", object(), lambda request, response: None])
def test_what_is_no_app_is_refused(app: object) -> None:
    """B20"""
    with pytest.raises(TypeError, match=r"\(scope, receive, send\)"):
        stethoscope.install(cast("ASGIApp", app))


def test_an_app_whose_routes_cannot_be_learned_is_served_without_them(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A5"""

    def fail(*_: object) -> None:
        raise RuntimeError("changed")

    app = App()
    monkeypatch.setattr(App, "add_middleware", fail)
    with caplog.at_level(logging.WARNING, "stethoscope"):
        observe_routes(app)
    assert "cannot be learned" in caplog.text


def test_a_wrapper_around_itself_is_looked_through_once() -> None:
    class Loop(Instance):
        @property
        def app(self) -> Loop:
            return self

    observe_routes(Loop())


def test_no_framework_is_imported_for_an_app_of_none() -> None:
    program = """
import sys, stethoscope
async def app(scope, receive, send): ...
stethoscope.install(app)
frameworks = {"starlette.applications", "fastapi", "litestar", "quart", "django", "falcon"}
sys.exit(", ".join(frameworks & set(sys.modules)) or 0)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
