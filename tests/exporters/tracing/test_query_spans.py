"""Database operations of a request are children of its span, without literals."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

import stethoscope
from stethoscope.asgi import Receive, Scope, Send
from stethoscope.exporters.tracing.server_spans import ServerSpans
from stethoscope.settings import Settings
from tests.exporters.tracing.spans import Traced, told
from tests.middleware.scripted import Records, plain


def call(traced: Traced, directory: Path) -> None:
    engine = create_engine("sqlite://")
    app = FastAPI(telemetry={"tracing": False})

    @app.get("/")
    def query() -> int:
        with engine.connect() as connection:
            connection.execute(text("select 1 where 'Ada' = :name"), {"name": "Ada"})
            with pytest.raises(OperationalError):
                connection.execute(text("select secret from nowhere"))
        return 1

    layer = stethoscope.Stethoscope(app, tracing=False, dir=directory)
    stethoscope.watch(engine)
    layer.observe(ServerSpans(layer, Settings(), traced.provider.get_tracer("stethoscope")))

    async def get() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(layer), base_url="http://shop") as client:
            assert (await client.get("/")).status_code == 200

    asyncio.run(get())
    engine.dispose()


def test_queries_are_children_of_the_request_and_have_no_literals(tmp_path: Path) -> None:
    traced = Traced()
    call(traced, tmp_path / "segments")
    first, failed, server = traced.spans()
    assert [span.kind for span in (first, failed, server)] == [SpanKind.CLIENT, SpanKind.CLIENT, SpanKind.SERVER]
    assert first.parent == failed.parent == server.context
    assert (told(first)["db.system.name"], told(first)["db.operation.name"]) == ("sqlite", "SELECT")
    assert "Ada" not in str(told(first)["db.query.text"])
    assert first.end_time is not None
    assert first.start_time is not None
    assert 0 < first.end_time - first.start_time < 10**10
    assert (failed.name, failed.status.status_code) == ("SELECT nowhere", StatusCode.ERROR)
    assert str(told(failed)["error.type"]).endswith("OperationalError")


def test_queries_of_an_unsampled_request_make_no_spans(tmp_path: Path) -> None:
    traced = Traced(ALWAYS_OFF)
    call(traced, tmp_path / "segments")
    assert [span for span in traced.spans() if span.kind is SpanKind.CLIENT] == []


def test_queries_make_no_spans_where_instrumentation_is_suppressed(records: Records) -> None:
    traced, engine = Traced(), create_engine("sqlite://")
    stethoscope.watch(engine)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql("select 1")
            with suppress_instrumentation():
                connection.exec_driver_sql("select 2, 3")
        await plain(scope, receive, send)

    traced.call(records, app)
    engine.dispose()
    assert [told(span)["db.query.text"] for span in traced.spans() if span.kind is SpanKind.CLIENT] == ["select ?"]


def test_an_exception_that_tells_of_a_statement_is_recorded_without_its_values(records: Records) -> None:
    traced, engine = Traced(), create_engine("sqlite://")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with engine.connect() as connection:
            connection.execute(text("select :mail from nowhere where 'Lovelace' = 1"), {"mail": "bob@secret.example"})

    with pytest.raises(OperationalError):
        traced.call(records, app)
    engine.dispose()
    (event,) = traced.spans()[-1].events
    told = event.attributes or {}
    assert "(sqlite3.OperationalError) no such table: nowhere" in str(told["exception.message"])
    assert "[SQL: select ? from nowhere where ? = ?]" in str(told["exception.message"])
    message, stacktrace = str(told["exception.message"]), str(told["exception.stacktrace"])
    assert message in stacktrace
    assert "secret" not in message + stacktrace.replace('"bob@secret.example"', "the line of code")
