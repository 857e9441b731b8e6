"""An app all of whose queries are slow, and what any of its workers knows of them."""

from __future__ import annotations

import os
from typing import Any

from sqlalchemy import StaticPool, create_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

import stethoscope
from stethoscope import names
from stethoscope.store.distribution import Distribution
from stethoscope.store.registry import default_recorder

engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})


def query(request: Request) -> Response:
    with engine.connect() as connection:
        # The literal is another in each worker.
        connection.exec_driver_sql(f"SELECT 'worker {os.getpid()}' AS name")
    return PlainTextResponse(str(os.getpid()))


def told(request: Request) -> Response:
    recorder = default_recorder()
    slow: list[Any] = []
    for series in recorder.snapshot().families[names.SLOW_QUERY_DURATION.name].series:
        assert isinstance(series.value, Distribution)
        slow.append([*series.labels, series.value.count])
    return JSONResponse({"slow": slow, "notes": [dict(note.content) for note in recorder.notes(names.QUERIES)]})


app = stethoscope.install(
    Starlette(routes=[Route("/often", query), Route("/once", query), Route("/told", told)]),
    service="slow",
    thresholds={"slow_query": 1e-9},
)
