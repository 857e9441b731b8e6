"""An app that asks its database ten times where once would do, if it is asked to."""

from __future__ import annotations

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import stethoscope

engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})


def ill(request: Request) -> Response:
    with engine.connect() as connection:
        for number in range(10):
            connection.execute(sa.text("SELECT :number"), {"number": number})
    return PlainTextResponse("ill")


def well(request: Request) -> Response:
    return PlainTextResponse("well")


app = stethoscope.install(Starlette(routes=[Route("/ill", ill), Route("/well", well)]), service="patient")
