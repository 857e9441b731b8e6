"""What fails in tracing is told where those who hear of it may trace."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import get_current_span

from stethoscope.asgi import Receive, Scope, Send
from stethoscope.exporters.tracing.batches import Batches, Limits
from tests.exporters.tracing.spans import Traced
from tests.middleware.scripted import Records, plain, run


class FailingSampler(Sampler):
    def should_sample(self, *arguments: object, **more: object) -> Any:
        raise LookupError("no sample")

    def get_description(self) -> str:
        return "fails"


@contextmanager
def hearing(caplog: pytest.LogCaptureFixture, then: Callable[[], object]) -> Iterator[None]:
    """Has ``then`` called by whoever hears of a warning."""

    def listen(record: logging.LogRecord) -> bool:
        then()
        return True

    caplog.handler.addFilter(listen)
    try:
        yield
    finally:
        caplog.handler.removeFilter(listen)


def comes_to_its_end(task: Callable[[], object]) -> bool:
    thread = threading.Thread(target=task, daemon=True)
    thread.start()
    thread.join(10)
    return not thread.is_alive()


def test_a_span_may_end_while_it_is_told_that_there_are_no_more_threads(
    records: Records, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = Traced()
    traced.provider.add_span_processor(Batches(InMemorySpanExporter, records.recorder, Limits()))
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "stethoscope-spans":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with hearing(caplog, lambda: traced.tracer.start_span("of the handler").end()):
        assert comes_to_its_end(lambda: traced.tracer.start_span("of the app").end())
    assert [span.name for span in traced.spans()] == ["of the app", "of the handler"]


class Asking(Sampler):
    """Has ``ask`` called when it is asked itself, the first time, and knows whether that came to its end."""

    def __init__(self) -> None:
        self.ask: Callable[[], object] = lambda: None
        self.answered: list[bool] = []
        self._asked = False

    def should_sample(self, *arguments: object, **more: object) -> SamplingResult:
        if not self._asked:
            self._asked = True
            self.answered.append(comes_to_its_end(self.ask))
        return SamplingResult(Decision.RECORD_AND_SAMPLE)

    def get_description(self) -> str:
        return "asks"


def test_another_request_may_ask_for_its_span_while_a_sampler_is_asked(records: Records) -> None:
    sampler = Asking()
    traced = Traced(sampler)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        get_current_span()
        await plain(scope, receive, send)

    layer = traced.around(records, app)
    sampler.ask = lambda: run(layer)
    run(layer)
    assert sampler.answered == [True]
    assert len(traced.spans()) == 2


def test_another_thread_may_ask_for_the_current_span_while_it_is_told_that_none_can_be_made(
    records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    answered: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        context = copy_context()
        with hearing(caplog, lambda: answered.append(comes_to_its_end(lambda: context.run(get_current_span)))):
            get_current_span()
        await plain(scope, receive, send)

    Traced(FailingSampler()).call(records, app)
    assert answered == [True]
