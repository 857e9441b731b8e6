"""An app that is watched by the page's tests: fast, slow, failing on demand, and hostile."""

from __future__ import annotations

import asyncio
import os
import signal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import stethoscope

HOSTILE = '"><img src=x onerror=hacked()>'
"""What would run a script wherever it got into a document as markup."""


class Hostile(Exception):
    """Its name and its text are markup, as far as Python lets them be."""


Hostile.__qualname__ = HOSTILE


async def fast(request: Request) -> Response:
    return PlainTextResponse("fast")


async def slow(request: Request) -> Response:
    await asyncio.sleep(float(request.query_params.get("seconds", "0.1")))
    return PlainTextResponse("slow")


async def fail(request: Request) -> Response:
    raise Hostile(HOSTILE)


async def die(request: Request) -> Response:
    os.kill(os.getpid(), signal.SIGKILL)
    return Response()


app = stethoscope.install(
    Starlette(
        routes=[
            Route("/fast", fast),
            Route("/slow", slow),
            Route("/fail", fail),
            Route("/die", die),
            Route(f"/hostile/{HOSTILE}/{{name}}", fast),
        ]
    ),
    service=f"watched {HOSTILE}",
)
