"""The thread that sends spans goes on whatever happens around it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from stethoscope import names
from stethoscope.exporters.tracing.batches import Batches, Limits
from tests.instruments.reading import numbers
from tests.middleware.scripted import Records


def sending(records: Records, make: Callable[[], SpanExporter]) -> tuple[Batches, Callable[[str], None]]:
    """Batches of one span, and what ends a span of a name."""
    batches = Batches(make, records.recorder, Limits(queue=10, batch=1))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(batches)
    tracer = provider.get_tracer("tests")
    return batches, lambda name: tracer.start_span(name).end()


class Meddling(str):
    """A logger's name; while it is looked at, another thread makes a logger."""

    __slots__ = ()

    def startswith(self, *_: object) -> bool:
        logging.getLogger("tests.tenant")
        return False


def test_a_logger_may_be_made_while_loggers_are_looked_for(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    loggers = {
        **logging.root.manager.loggerDict,
        Meddling("meddling"): logging.getLogger("tests"),
        "last": logging.getLogger("tests"),
    }
    loggers.pop("tests.tenant", None)
    monkeypatch.setattr(logging.root.manager, "loggerDict", loggers)
    exporter = InMemorySpanExporter()
    batches, end = sending(records, lambda: exporter)
    end("one")
    assert batches.force_flush(10_000)
    assert [span.name for span in exporter.get_finished_spans()] == ["one"]
    assert "tests.tenant" in loggers
    batches.shutdown()


class Leaving(SpanExporter):
    """Ends the thread that it is called in, the first time."""

    def __init__(self) -> None:
        self.calls = 0
        self.sent: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.calls += 1
        if self.calls == 1:
            raise SystemExit
        self.sent += [span.name for span in spans]
        return SpanExportResult.SUCCESS


def test_a_thread_that_has_ended_has_a_successor(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    exporter = Leaving()
    batches, end = sending(records, lambda: exporter)
    end("one")
    assert batches._thread is not None
    batches._thread.join(10)
    assert batches.force_flush(10_000)  # nothing waits
    end("two")
    assert batches.force_flush(10_000)
    assert exporter.sent == ["two"]
    assert numbers(records.recorder, names.DROPPED_EXPORTS.name) == {("traces", "not_delivered"): 1}
    batches.shutdown()
    assert batches.force_flush(10_000)
