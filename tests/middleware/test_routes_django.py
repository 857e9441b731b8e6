"""Route templates of Django projects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf.urls.i18n import i18n_patterns  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
from django.test import override_settings  # type: ignore[import-untyped]
from django.urls import include, path, re_path  # type: ignore[import-untyped]
from django.views import View  # type: ignore[import-untyped]
from django.views.decorators.http import require_POST  # type: ignore[import-untyped]

import tests.apps.django_app  # noqa: F401 - it configures Django
from stethoscope.names import UNMATCHED_ROUTE
from tests.middleware.observed import Observed

COMMON = "django.middleware.common.CommonMiddleware"
MIDDLEWARES = {
    "none": [],
    "sync": [COMMON, f"{__name__}.in_a_thread"],
    "async": [COMMON, f"{__name__}.Async"],
    "mixed": [f"{__name__}.Async", f"{__name__}.in_a_thread", COMMON],
}


def in_a_thread(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    return lambda request: get_response(request)


class Async:
    async_capable = True
    sync_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponse]]) -> None:
        assert iscoroutinefunction(get_response)
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        return await self.get_response(request)


async def on_the_loop(request: HttpRequest, *_: str, **__: object) -> HttpResponse:
    return HttpResponse("ok")


def sync(request: HttpRequest, *_: str, **__: object) -> HttpResponse:
    return HttpResponse("ok")


def boom(request: HttpRequest, number: int) -> HttpResponse:
    raise KeyError("boom")


class OfAClass(View):  # type: ignore[misc] # Django is not typed
    async def get(self, request: HttpRequest, number: int) -> HttpResponse:
        return HttpResponse("ok")


inner = [
    path("users/<int:number>/", on_the_loop),
    re_path(r"^archive/(?P<year>[0-9]{4})/$", sync),
]
urlpatterns = [
    path("", on_the_loop),
    path("loop/<int:number>/", on_the_loop),
    path("thread/<slug:name>/", sync),
    path("class/<int:number>/", OfAClass.as_view()),
    path("boom/<int:number>/", boom),
    path("only-post/", require_POST(sync)),
    re_path(r"^articles/(?P<year>[0-9]{4})/$", sync),
    path("inner/<str:tenant>/", include(inner)),
    re_path(r"^pattern/", include([re_path(r"^(\d+)$", sync)])),
    *i18n_patterns(path("about/", sync)),
]


@pytest.fixture(params=MIDDLEWARES)
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Observed]:
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=MIDDLEWARES[request.param]):
        yield Observed(get_asgi_application(), tmp_path)


@pytest.mark.parametrize(
    ("asked", "route"),
    [
        ("/", "/"),
        ("/loop/7/", "/loop/<int:number>/"),
        ("/thread/a-b/", "/thread/<slug:name>/"),
        ("/class/7/", "/class/<int:number>/"),
        ("/articles/2003/", "/articles/(?P<year>[0-9]{4})/$"),
        ("/en/about/", "/en/about/"),
    ],
)
def test_routes_are_as_written_in_the_url_configuration(app: Observed, asked: str, route: str) -> None:
    assert app.get(asked) == (200, route)


@pytest.mark.parametrize(
    ("asked", "route"),
    [
        ("/inner/acme/users/7/", "/inner/<str:tenant>/users/<int:number>/"),
        ("/inner/acme/archive/2003/", "/inner/<str:tenant>/archive/(?P<year>[0-9]{4})/$"),
        ("/pattern/7", r"/pattern/(\d+)$"),
    ],
)
def test_includes_have_their_prefixes(app: Observed, asked: str, route: str) -> None:
    """B15"""
    assert app.get(asked) == (200, route)


def test_a_405_and_an_exception_have_their_route(app: Observed) -> None:
    assert app.get("/only-post/") == (405, "/only-post/")
    assert app.get("/boom/7/") == (500, "/boom/<int:number>/")
    assert app.error_types() == {"KeyError"}


@pytest.mark.parametrize("asked", ["/nothing/", "/loop/none/", "/loop/7"])
def test_what_django_has_no_route_for_has_none(app: Observed, asked: str) -> None:
    """B15: the last is a redirect to the path with a slash, where CommonMiddleware is used."""
    assert app.get(asked)[1] == UNMATCHED_ROUTE


def test_the_application_root_is_part_of_a_route(app: Observed) -> None:
    """B15"""
    assert app.get("/shop/loop/7/", root_path="/shop") == (200, "/shop/loop/<int:number>/")


def test_routes_are_learned_through_what_wraps_the_handler(tmp_path: Path) -> None:
    class ProtocolTypeRouter:
        """As Channels has it."""

        def __init__(self, application_mapping: dict[str, object]) -> None:
            self.application_mapping = application_mapping

        async def __call__(self, scope, receive, send):  # type: ignore[no-untyped-def]
            await self.application_mapping[scope["type"]](scope, receive, send)  # type: ignore[operator]

    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[]):
        app = Observed(ProtocolTypeRouter({"http": get_asgi_application()}), tmp_path)
        assert app.get("/loop/7/") == (200, "/loop/<int:number>/")
