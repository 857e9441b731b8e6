"""Beside opentelemetry-instrumentation-sqlalchemy: nothing is counted twice, and neither misses anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

import stethoscope
from stethoscope import names
from stethoscope.asgi import Receive, Scope, Send
from stethoscope.exporters.tracing.server_spans import ServerSpans
from stethoscope.middleware.layer import Layer
from stethoscope.settings import Settings
from stethoscope.store.recorder import Recorder
from tests.instruments.reading import numbers
from tests.instruments.sqlalchemy.shop import ROUTE, in_thread, request
from tests.middleware.scripted import plain, run

QUERIES = 5


class Telemetry:
    """OpenTelemetry's, into memory."""

    def __init__(self) -> None:
        self.spans = InMemorySpanExporter()
        self.traces = TracerProvider()
        self.traces.add_span_processor(SimpleSpanProcessor(self.spans))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])

    def instrument(self, engine: sa.Engine) -> None:
        # It names SQLAlchemy below 2.1 as what it knows, and works with 2.1 all the same when it is told not to look.
        SQLAlchemyInstrumentor().instrument(
            engine=engine, tracer_provider=self.traces, meter_provider=self.meters, skip_dep_check=True
        )

    def queries(self) -> int:
        return len([one for one in self.spans.get_finished_spans() if one.name.startswith(("SELECT", "INSERT"))])


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    yield Telemetry()
    if SQLAlchemyInstrumentor().is_instrumented_by_opentelemetry:
        SQLAlchemyInstrumentor().uninstrument()


def use(own: Recorder, engine: sa.Engine) -> None:
    def work() -> None:
        with engine.connect() as connection:
            for number in range(QUERIES):
                connection.execute(sa.text("SELECT :number"), {"number": number})
            with pytest.raises(sa.exc.OperationalError):
                connection.execute(sa.text("INSERT INTO nowhere VALUES (1)"))

    request(in_thread(work), own)


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours first", "theirs first"])
def test_both_see_each_query_once(own: Recorder, telemetry: Telemetry, ours_first: bool) -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    if ours_first:
        stethoscope.watch(engine)
    telemetry.instrument(engine)
    stethoscope.watch(engine)
    use(own, engine)
    counts = numbers(own, names.QUERY_DURATION.name)
    assert {labels[1:]: count for labels, count in counts.items()} == {
        ("SELECT", "", ""): QUERIES,
        ("INSERT", "nowhere", "sqlite3.OperationalError"): 1,
    }
    assert numbers(own, names.REQUEST_QUERIES.name) == {(ROUTE,): 1}
    assert telemetry.queries() == QUERIES + 1
    assert numbers(own, names.INTERNAL_ERRORS.name) == {}


def test_metrics_of_both_have_names_of_their_own(own: Recorder, telemetry: Telemetry) -> None:
    engine = sa.create_engine("sqlite://")
    telemetry.instrument(engine)
    stethoscope.watch(engine)
    use(own, engine)
    data = telemetry.reader.get_metrics_data()
    assert data is not None
    theirs = {m.name for resource in data.resource_metrics for scope in resource.scope_metrics for m in scope.metrics}
    assert theirs == {"db.client.connections.usage"}
    ours = {metric.name for metric in (names.QUERY_DURATION, names.POOL_CONNECTIONS, names.POOL_USE_TIME)}
    assert not ours & {name.replace(".", "_") for name in theirs}


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours first", "theirs first"])
def test_spans_are_theirs_alone_for_the_engines_that_they_know(
    own: Recorder, telemetry: Telemetry, ours_first: bool
) -> None:
    theirs, ours = sa.create_engine("sqlite://"), sa.create_engine("sqlite://")
    if not ours_first:
        telemetry.instrument(theirs)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for table, engine in (("theirs", theirs), ("ours", ours)):
            with engine.connect() as connection:
                connection.exec_driver_sql(f"SELECT 1 AS {table}")
                with pytest.raises(sa.exc.OperationalError):
                    connection.exec_driver_sql(f"SELECT 2 FROM {table}")
        await plain(scope, receive, send)

    layer = Layer(app, own, Settings())
    layer.appoint([ServerSpans(layer, Settings(), telemetry.traces.get_tracer("stethoscope"))])
    for engine in (theirs, ours):
        stethoscope.watch(engine)
    if ours_first:
        telemetry.instrument(theirs)
    run(layer)
    told = [
        (
            one.instrumentation_scope.name,
            (one.attributes or {}).get("db.query.text") or (one.attributes or {})["db.statement"],
        )
        for one in telemetry.spans.get_finished_spans()
        if one.kind is SpanKind.CLIENT and one.name != "connect" and one.instrumentation_scope
    ]
    assert told == [
        ("opentelemetry.instrumentation.sqlalchemy", "SELECT 1 AS theirs"),
        ("opentelemetry.instrumentation.sqlalchemy", "SELECT 2 FROM theirs"),
        ("stethoscope", "SELECT ? AS ours"),
        ("stethoscope", "SELECT ? FROM ours"),
    ]
