"""A sidecar ends within five seconds of being told to, has sent what it had, and leaves the duties to the workers."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from stethoscope.store.home import find_folder
from stethoscope.store.lease import OTLP
from stethoscope.store.recorder import Recorder
from tests.process.stores import REQUESTS
from tests.receivers.otlp import metrics
from tests.servers import HOST
from tests.sidecar.running import Sidecar, sidecar, until

LIMIT = 5.0
"""Seconds. A promise to whoever stops it: systemd and Kubernetes kill what takes too long."""

NEVER = {"OTEL_METRIC_EXPORT_INTERVAL": "3600000"}


def ends_in_time(beside: Sidecar) -> bool:
    begin = time.monotonic()
    assert beside.end(signal.SIGTERM) == 0, beside.log()
    assert beside.log().endswith("INFO stethoscope: ended\n")
    return time.monotonic() - begin < LIMIT


@contextlib.contextmanager
def deaf() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server((HOST, 0), backlog=16) as listener:
        yield listener.getsockname()[1]


def record(place: Path) -> Recorder:
    recorder = Recorder("shop", find_folder("shop", shared=True, directory=str(place)))
    recorder.counter(REQUESTS, ("/",)).add(7.0)
    return recorder


def test_the_last_numbers_are_sent_and_the_duty_is_the_workers_again(place: Path) -> None:
    recorder = record(place)
    with metrics("http/protobuf") as collector:
        with sidecar("--dir", str(place), env={**collector.environment, **NEVER}) as beside:
            until(lambda: "watching shop" in beside.log(), beside.log)
            until(lambda: not recorder.leads(OTLP), beside.log)
            assert collector.left() == []
            assert ends_in_time(beside)
        [last] = collector.left()
        assert last.resource["service.name"] == "shop"
        assert last.metrics["requests"].sum.data_points[0].as_double == 7.0
        assert recorder.leads(OTLP)


def test_a_receiver_that_never_answers_and_clients_that_stay_do_not_keep_it(place: Path) -> None:
    recorder = record(place)
    with deaf() as port:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{HOST}:{port}", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        with (
            sidecar("--dir", str(place), env={**env, **NEVER}) as beside,
            socket.create_connection((HOST, beside.port)) as asking,
            socket.create_connection((HOST, beside.port)) as looking,
        ):
            until(lambda: "watching shop" in beside.log(), beside.log)
            asking.sendall(b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\n")  # and no end of the request
            looking.sendall(b"GET /api/stream HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            assert looking.recv(1 << 10).startswith(b"HTTP/1.1 200")
            assert ends_in_time(beside)
        assert recorder.leads(OTLP)
