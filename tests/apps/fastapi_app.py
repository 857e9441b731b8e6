"""A FastAPI app with included routers, a FastAPI and a Starlette app mounted."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.routing import Route

import stethoscope
from tests.apps import starlette_app

users = APIRouter(prefix="/users")


@users.get("/{number}")
async def user(number: int) -> dict[str, int]:
    return {"number": number}


things = APIRouter()


@things.get("/things/{number}")
async def thing(number: int) -> dict[str, int]:
    return {"number": number}


def make_app() -> FastAPI:
    sub = FastAPI()
    sub.include_router(things)
    sub.include_router(things, prefix="/included")

    app = FastAPI()

    @app.get("/items/{number:int}")
    async def item(number: int) -> dict[str, int]:
        return {"number": number}

    app.include_router(users, prefix="/api/v1")
    app.include_router(users, prefix="/api/{region}")
    app.mount("/sub/{tenant}", sub)
    app.mount("/starlette", Starlette(routes=[Route("/pages/{number}", starlette_app.ok)]))
    app.add_route("/plain/{number}", starlette_app.ok)
    for path, endpoint in (
        ("/boom/{number:int}", starlette_app.boom),
        ("/broken/{number:int}", starlette_app.broken),
        ("/endless", starlette_app.endless),
        ("/slow", starlette_app.slow),
        ("/background", starlette_app.background),
        ("/stream", starlette_app.stream),
    ):
        app.add_api_route(path, endpoint)
    app.add_api_route("/only-post", starlette_app.ok, methods=["POST"])
    app.add_api_route("/upload", starlette_app.upload, methods=["POST"])
    return app


app = stethoscope.install(make_app())
