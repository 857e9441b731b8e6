"""What a receiver can do to us: real sockets, and a real exporter in this process. The numbers arrive in the end."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, get_args
from urllib.parse import urlsplit
from weakref import ref

import psutil
import pytest
from grpc import StatusCode

from stethoscope.exporters.otlp.configuration import Configuration
from stethoscope.exporters.otlp.exporter import OTLPExporter
from stethoscope.exporters.periodic import LONGEST_WAIT, backed_off
from stethoscope.names import EXPORTED_POINTS, Kind, Metric
from stethoscope.store.folder import Folder
from stethoscope.store.recorder import Recorder
from stethoscope.store.watched import Watched
from tests.otlp.served import ask, pushing
from tests.receivers.inbox import FINE, HALF, PATIENCE, Answer
from tests.receivers.otlp import MetricsCollector, Protocol, Push, metrics
from tests.servers import free_port
from tests.sidecar.running import until

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


def fails_and_recovers(collector: MetricsCollector, pushing: Pushing, error: str, answer: Answer) -> None:
    """Answer so until that is counted as ``error``, and then as one should, until nothing is missing."""
    collector.next()
    fails(collector, answer)
    while not pushing.points().get(error):
        threading.Event().wait(0.05)
    pushing.recorder.counter(BEATS).add(1.0)
    collector.answer = FINE
    collector.until(lambda received: "beats" in received.metrics and beats(received) == 2.0)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What we said, in a word each; anybody else's lines are an error."""
    assert {record.name for record in caplog.records} <= {"stethoscope"}
    words = {
        "do not arrive": "down",
        "arrive over OTLP again": "up",
        "refused over OTLP arrive": "taken",
        "refuse": "refused",
    }
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
        ("502", Answer(502)),
        ("503", Answer(503)),
        ("ChunkedEncodingError", HALF),
    ],
    "grpc": [
        ("ABORTED", Answer(grpc_status=StatusCode.ABORTED, message="no")),
        ("UNAVAILABLE", Answer(grpc_status=StatusCode.UNAVAILABLE, message="away")),
        ("RESOURCE_EXHAUSTED", Answer(grpc_status=StatusCode.RESOURCE_EXHAUSTED, message="full", retry_after="1")),
    ],
}
REFUSING = {
    "http/protobuf": [("400", Answer(400)), ("401", Answer(401)), ("500", Answer(500)), ("302", Answer(302))],
    "grpc": [
        ("INVALID_ARGUMENT", Answer(grpc_status=StatusCode.INVALID_ARGUMENT, message="no")),
        ("UNAUTHENTICATED", Answer(grpc_status=StatusCode.UNAUTHENTICATED, message="who?")),
        ("RESOURCE_EXHAUSTED", Answer(grpc_status=StatusCode.RESOURCE_EXHAUSTED, message="too large")),
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
        fails_and_recovers(collector, pushing, error, answer)
    assert lines(caplog)[:2] == ["down", "up"]  # the receiver may be gone before the last push


@pytest.mark.parametrize(
    ("protocol", "error", "answer"), [(protocol, *case) for protocol, cases in REFUSING.items() for case in cases]
)
def test_a_receiver_that_refuses_all_is_asked_ever_less_often(
    protocol: Protocol,
    error: str,
    answer: Answer,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with metrics(protocol) as collector, beating(place, collector.endpoint, protocol, monkeypatch) as pushing:
        fails_and_recovers(collector, pushing, error, answer)
        collector.next()
    assert lines(caplog)[:2] == ["refused", "taken"]


class Sold(NamedTuple):
    """One metric that a receiver does not take, and enough others that it takes two requests to send them."""

    bad: Metric
    many: Metric
    more: Metric


SOLD = Sold(*(Metric(name, Kind.COUNTER, "Things.", ("n",)) for name in ("bad", "many", "zz_more")))


@PROTOCOLS
@pytest.mark.parametrize("delta", [False, True])
def test_one_metric_that_is_refused_keeps_no_other_from_arriving(
    protocol: Protocol,
    delta: bool,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with metrics(protocol) as collector:
        collector.refuses = "bad"
        with beating(place, collector.endpoint, protocol, monkeypatch, delta=delta) as pushing:
            for metric, series in ((SOLD.bad, 600), (SOLD.many, 600), (SOLD.more, 600)):
                for number in range(series):
                    pushing.recorder.counter(metric, (str(number),)).add(1.0)
            # The first two would not fit into one request; what was refused together arrives with what comes after it.
            collector.until(lambda received: "zz_more" in received.metrics)
            pushing.recorder.counter(BEATS).add(1.0)
            collector.until(lambda received: "beats" in received.metrics)
            assert pushing.points()["400" if protocol == "http/protobuf" else "INVALID_ARGUMENT"] >= 600
            collector.refuses = ""
            taken = collector.until(lambda received: "bad" in received.metrics)
            assert sum(point.as_double for point in taken.metrics["bad"].sum.data_points) == 600
    assert "down" not in lines(caplog)
    assert lines(caplog)[0] == "refused"
    assert lines(caplog)[-1] == "taken"
    assert "refuses bad" in caplog.text
    assert "still refused: none" in caplog.text


@PROTOCOLS
@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:{nobody}/v1/metrics?api-key=SECRET",
        "http://somebody:SECRET@127.0.0.1:{nobody}/v1/metrics",
        "http://somebody:SECRET@[::1/v1/metrics?key=SECRET",
        "http://somebody:SECRET@/v1/metrics?key=SECRET",
        "ftp://somebody:SECRET@host/v1/metrics?key=SECRET",
        "http://somebody:SECRET@host.invalid/v1/metrics?key=SECRET",
        "http://somebody:SECRET@host:port/v1/metrics?key=SECRET",
        "http://somebody:SECRET@ho\N{FULLWIDTH SOLIDUS}st/v1/metrics?key=SECRET",
        "somebody:SECRET@127.0.0.1:{nobody}?key=SECRET",
    ],
)
def test_no_secret_of_an_endpoint_is_logged(
    protocol: Protocol, endpoint: str, place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", endpoint.format(nobody=free_port()))
    with beating(place, "", protocol, monkeypatch):
        while not caplog.records:
            threading.Event().wait(0.05)
    assert "SECRET" not in caplog.text


def test_headers_with_keys_go_to_the_endpoint_and_nowhere_else(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=SECRET")
    with metrics("http/protobuf") as other, metrics("http/protobuf") as collector:
        collector.answer = Answer(307, location=f"{other.endpoint}/v1/metrics")
        with beating(place, collector.endpoint, "http/protobuf", monkeypatch) as pushing:
            while not pushing.points().get("307"):
                threading.Event().wait(0.05)
        assert other.attempts == 0


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


def connections(collector: MetricsCollector) -> int:
    """Of this process to a receiver."""
    port = urlsplit(collector.endpoint).port
    own = psutil.Process().net_connections("tcp")
    return sum(bool(one.raddr) and one.raddr[1] == port and one.status == "ESTABLISHED" for one in own)


@PROTOCOLS
@pytest.mark.parametrize("by", ["its end", "another leader"])
def test_whoever_does_not_push_any_more_has_no_connection(
    protocol: Protocol, by: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the garbage collector, which may not come for hours."""
    gc.disable()
    try:
        with metrics(protocol) as collector, beating(place, collector.endpoint, protocol, monkeypatch) as pushing:
            collector.next()
            assert connections(collector) >= 1
            if by == "its end":
                pushing.exporter.close(PATIENCE)
            else:
                monkeypatch.setattr(pushing.recorder, "leads", lambda duty: False)
            until(lambda: connections(collector) == 0)
    finally:
        gc.enable()


def test_an_exporter_that_has_ended_is_gone_with_its_service(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As above; the service has a folder open."""
    gc.disable()
    try:
        with metrics("http/protobuf") as collector:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
            Recorder("shop", lambda: Folder(str(place))).counter(BEATS).add(1.0)
            service = Watched("shop", Folder(str(place)), lambda where, error: None)
            exporter = OTLPExporter(service, Configuration(interval=0.05))
            exporter.start()
            collector.next()
            exporter.close(PATIENCE)
            service.leave()
        gone = ref(service), ref(exporter)
        del service, exporter
        assert [one() for one in gone] == [None, None]
    finally:
        gc.enable()


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
