"""A Django project in one module: includes, regular expressions, translated prefixes, both kinds of views."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from django.conf import settings  # type: ignore[import-untyped]
from django.conf.urls.i18n import i18n_patterns  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse  # type: ignore[import-untyped]
from django.urls import include, path, re_path  # type: ignore[import-untyped]
from django.views.decorators.http import require_POST  # type: ignore[import-untyped]

import stethoscope
from tests.apps.contract import ENDLESS_PARTS, PARTS, SLOW_SECONDS

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        LANGUAGE_CODE="en",
        LOGGING_CONFIG=None,
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="only for tests",
        USE_I18N=True,
    )


async def ok(request: HttpRequest, **_: object) -> HttpResponse:
    return HttpResponse("ok")


def in_a_thread(request: HttpRequest, **_: object) -> HttpResponse:
    return HttpResponse("ok")


def boom(request: HttpRequest, number: int) -> HttpResponse:
    raise KeyError("boom")


async def broken(request: HttpRequest, number: int) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield PARTS[0]
        raise RuntimeError("broken")

    return StreamingHttpResponse(parts())


async def endless(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(ENDLESS_PARTS):
            yield PARTS[0]
            await asyncio.sleep(0.01)

    return StreamingHttpResponse(parts())


async def slow(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(SLOW_SECONDS)
    return HttpResponse("late")


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[bytes]:
        for part in PARTS:
            yield part

    return StreamingHttpResponse(parts())


async def upload(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


api = [
    path("users/<int:number>/", ok),
    path("sync/<int:number>/", in_a_thread),
    re_path(r"^archive/(?P<year>[0-9]{4})/$", ok),
]

urlpatterns = [
    path("items/<int:number>/", ok),
    path("only-post/", require_POST(in_a_thread)),
    path("boom/<int:number>/", boom),
    path("broken/<int:number>/", broken),
    path("endless/", endless),
    path("slow/", slow),
    path("stream/", stream),
    path("upload/", upload),
    path("api/", include(api)),
    *i18n_patterns(path("about/", ok)),
]

app = stethoscope.install(get_asgi_application())
