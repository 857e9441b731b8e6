"""A shop's orders: queries, a failure with a secret in it, and work that goes on after the response."""

from __future__ import annotations

import os

from sqlalchemy import create_engine, text
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import stethoscope

engine = create_engine("sqlite://")


def orders(request: Request) -> Response:
    with engine.connect() as connection:
        for number in range(4):
            connection.execute(text("SELECT :n + 1"), {"n": number})  # the query
    return PlainTextResponse(str(os.getpid()))


def fail(request: Request) -> Response:
    secret = request.headers["cookie"]
    raise LookupError(secret)  # the failure


def later(request: Request) -> Response:
    return PlainTextResponse(str(os.getpid()), background=BackgroundTask(orders, request))


app = stethoscope.install(
    Starlette(routes=[Route("/orders/{number}", orders), Route("/fail", fail), Route("/later", later)]),
    service="orders",
)
