"""What a receiver can do to us: real sockets, and a real exporter in this process. The numbers arrive in the end."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from grpc import StatusCode

from stethoscope.exporters.otlp.configuration import Configuration
from stethoscope.exporters.otlp.exporter import OTLPExporter
from stethoscope.exporters.periodic import LONGEST_WAIT, backed_off
from stethoscope.names import EXPORTED_POINTS, Kind, Metric
from stethoscope.store.folder import Folder
from stethoscope.store.recorder import Recorder
from tests.otlp.served import ask, pushing
from tests.receivers.inbox import FINE, HALF, PATIENCE, Answer
from tests.receivers.otlp import MetricsCollector, Protocol, Push, metrics
from tests.servers import free_port

PROTOCOLS = pytest.mark.parametrize("protocol", get_args(Protocol))
BEATS = Metric("beats", Kind.COUNTER, "Beats.")


class Pushing:
    """An exporter that pushes twenty times a second, and what it has recorded of itself."""

    def __init__(self, place: Path, configuration: Configuration) -> None:
        self.recorder = Recorder("beating", lambda: Folder(str(place)))
        self.recorder.counter(BEATS).add(1.0)
        self.exporter = OTLPExporter(self.recorder, configuration)

    def points(self) -> dict[str, float]:
        """Points by what became of them: the empty text for those that arrived."""
        family = self.recorder.snapshot().family(EXPORTED_POINTS)
        return {series.labels[1]: float(series.value) for series in family.series if isinstance(series.value, float)}


@contextlib.contextmanager
def beating(
    place: Path, endpoint: str, protocol: Protocol, monkeypatch: pytest.MonkeyPatch, *, delta: bool = False
) -> Iterator[Pushing]:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    pushing = Pushing(place, Configuration(protocol, 0.05, delta=delta))
    pushing.exporter.start()
    try:
        yield pushing
    finally:
        pushing.exporter.close(PATIENCE)


def beats(received: Push) -> float:
    return sum(point.as_double for point in received.metrics["beats"].sum.data_points)


def fails(collector: MetricsCollector, answer: Answer, times: int = 2) -> None:
    """Answer so until it was asked a few times."""
    collector.left()
    collector.answer = answer
    collector.wait_for_attempts(collector.attempts + times)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What we said, in a word each; anybody else's lines are an error."""
    assert {record.name for record in caplog.records} <= {"stethoscope"}
    words = {"do not arrive": "down", "again": "up", "refused": "refused"}
    return [next(word for part, word in words.items() if part in record.getMessage()) for record in caplog.records]


@PROTOCOLS
def test_a_receiver_that_is_not_there_yet(
    protocol: Protocol, place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    with beating(place, f"http://127.0.0.1:{port}", protocol, monkeypatch) as pushing:
        while not any(pushing.points()):
            threading.Event().wait(0.05)
        with metrics(protocol, port) as collector:
            assert beats(collector.next()) == 1.0
    assert lines(caplog)[:2] == ["down", "up"]  # the receiver may be gone before the last push


@PROTOCOLS
def test_a_receiver_that_dies_and_comes_back(
    protocol: Protocol, place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    with contextlib.ExitStack() as stack:
        with metrics(protocol, port) as collector:
            pushing = stack.enter_context(beating(place, f"http://127.0.0.1:{port}", protocol, monkeypatch))
            collector.next()
        pushing.recorder.counter(BEATS).add(1.0)
        while not any(error for error in pushing.points()):
            threading.Event().wait(0.05)
        with metrics(protocol, port) as collector:
            collector.until(lambda received: beats(received) == 2.0)
    assert lines(caplog)[:2] == ["down", "up"]  # the receiver may be gone before the last push


ILL = {
    "http/protobuf": [
        ("400", Answer(400)),
        ("500", Answer(500)),
        ("503", Answer(503)),
        ("ChunkedEncodingError", HALF),
    ],
    "grpc": [
        ("INVALID_ARGUMENT", Answer(grpc_status=StatusCode.INVALID_ARGUMENT, message="no")),
        ("UNAVAILABLE", Answer(grpc_status=StatusCode.UNAVAILABLE, message="away")),
        ("RESOURCE_EXHAUSTED", Answer(grpc_status=StatusCode.RESOURCE_EXHAUSTED, message="full")),
    ],
}


@pytest.mark.parametrize(
    ("protocol", "error", "answer"), [(protocol, *case) for protocol, cases in ILL.items() for case in cases]
)
def test_a_receiver_that_is_ill(
    protocol: Protocol,
    error: str,
    answer: Answer,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with metrics(protocol) as collector, beating(place, collector.endpoint, protocol, monkeypatch) as pushing:
        collector.next()
        fails(collector, answer)
        while not pushing.points().get(error):
            threading.Event().wait(0.05)
        pushing.recorder.counter(BEATS).add(1.0)
        collector.answer = FINE
        collector.until(lambda received: beats(received) == 2.0)
    assert lines(caplog)[:2] == ["down", "up"]  # the receiver may be gone before the last push


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        ("http/protobuf", Answer(429, retry_after="2")),
        ("grpc", Answer(grpc_status=StatusCode.UNAVAILABLE, retry_after="2")),
    ],
)
def test_a_receiver_that_wants_to_be_left_alone_is(
    protocol: Protocol, answer: Answer, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with metrics(protocol) as collector, beating(place, collector.endpoint, protocol, monkeypatch):
        collector.next()
        fails(collector, answer, 1)
        refused = time.monotonic()
        collector.answer = FINE
        collector.wait_for_attempts(collector.attempts + 1)
        assert time.monotonic() - refused > 1.9


@PROTOCOLS
def test_a_receiver_that_takes_only_a_part(
    protocol: Protocol, place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with metrics(protocol) as collector, beating(place, collector.endpoint, protocol, monkeypatch) as pushing:
        collector.next()
        collector.answer = Answer(rejected=2, message="too old")
        while pushing.points().get("rejected", 0.0) < 4:
            threading.Event().wait(0.05)
    assert lines(caplog) == ["refused"]
    assert "too old" in caplog.text


@PROTOCOLS
def test_a_receiver_that_hangs_is_given_up(
    protocol: Protocol, place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with metrics(protocol) as collector, beating(place, collector.endpoint, protocol, monkeypatch) as pushing:
        collector.next()
        hang = threading.Event()
        fails(collector, Answer(hang=hang), 1)
        while not any(error for error in pushing.points()):
            threading.Event().wait(0.05)
        collector.answer = FINE
        hang.set()
        collector.until(lambda received: True)
    assert lines(caplog)[:2] == ["down", "up"]


@PROTOCOLS
def test_a_process_ends_although_its_receiver_hangs(protocol: Protocol, place: Path) -> None:
    with metrics(protocol) as collector:
        hang = threading.Event()
        collector.answer = Answer(hang=hang)
        with pushing(place, collector, workers=2, OTEL_EXPORTER_OTLP_TIMEOUT="60") as server:
            ask(server, 3)
            collector.wait_for_attempts(1)
            assert server.stop() == 0  # which is killed, and fails, if it takes much longer than it may
            assert "Traceback" not in server.log()
        hang.set()


def test_pauses_double_up_to_five_minutes() -> None:
    assert [backed_off(60, failures) for failures in range(5)] == [0, 120, 240, LONGEST_WAIT, LONGEST_WAIT]
    assert backed_off(3600, 9) == 3600
    assert backed_off(0.1, 10_000) == LONGEST_WAIT


def test_differences_go_on_where_the_last_leader_ended(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with metrics("http/protobuf") as collector:
        with beating(place, collector.endpoint, "http/protobuf", monkeypatch, delta=True) as first:
            told = beats(collector.until(lambda received: "beats" in received.metrics))
        with beating(place, collector.endpoint, "http/protobuf", monkeypatch, delta=True) as second:
            first.recorder.counter(BEATS).add(5.0)
            told += sum(beats(one) for one in collector.left() if "beats" in one.metrics)
            while told < 7.0:
                told += beats(collector.until(lambda received: "beats" in received.metrics))
            second.recorder.counter(BEATS).add(10.0)
            fails(collector, Answer(500))
            second.recorder.counter(BEATS).add(20.0)
            collector.answer = FINE
            while told < 37.0:
                told += beats(collector.until(lambda received: "beats" in received.metrics))
        told += sum(beats(one) for one in collector.left() if "beats" in one.metrics)
    assert told == 37.0
