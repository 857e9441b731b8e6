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
from stethoscope.exporters.tracing.query_spans import QuerySpans
from stethoscope.store.recorder import Recorder
from tests.instruments.reading import numbers
from tests.instruments.sqlalchemy.shop import ROUTE, in_thread, request

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


def test_spans_of_queries_are_theirs_alone_whoever_came_first(telemetry: Telemetry) -> None:
    spans = QuerySpans(telemetry.traces.get_tracer("ours"))

    def ours() -> list[str]:
        telemetry.spans.clear()
        spans.add("sqlite", "SELECT", "", "SELECT ?", 0.001, "")
        return [span.name for span in telemetry.spans.get_finished_spans() if span.kind is SpanKind.CLIENT]

    assert ours() == ["SELECT"]
    telemetry.instrument(sa.create_engine("sqlite://"))
    assert ours() == []
    SQLAlchemyInstrumentor().uninstrument()
    assert ours() == ["SELECT"]
