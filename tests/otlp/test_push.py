"""One push for all workers of a service: what arrives, from whom, when, and the last one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest

from tests.otlp.served import REQUESTS, ask, ask_all, leader, pushing, requests_in
from tests.receivers.otlp import Protocol, Push, metrics
from tests.servers import KINDS, ROOT, Kind

PROTOCOLS = pytest.mark.parametrize("protocol", get_args(Protocol))
HOUR = "3600000"


@PROTOCOLS
def test_what_several_workers_recorded_arrives_as_one(protocol: Protocol, place: Path) -> None:
    with metrics(protocol) as collector, pushing(place, collector, workers=2) as server:
        began = time.time()
        sent = ask_all(server, 2)
        received = collector.until(lambda received: requests_in(received) == sent)
        (point,) = received.metrics[REQUESTS].histogram.data_points
        assert began <= point.start_time_unix_nano / 1e9 <= point.time_unix_nano / 1e9 <= time.time()
        assert received.resource["service.name"] == "shop"
        workers = received.metrics["stethoscope.workers"].sum
        assert [point.as_double for point in workers.data_points] == [2.0]
        assert not workers.is_monotonic


def test_several_workers_push_once_an_interval(place: Path) -> None:
    with metrics("http/protobuf") as collector, pushing(place, collector, workers=3) as server:
        ask_all(server, 3)
        first, *others = [collector.next() for _ in range(12)]
        assert others[-1].at - first.at > 0.9 * len(others) * 0.1
        assert {received.resource["service.instance.id"] for received in others} == {
            first.resource["service.instance.id"]
        }


def test_another_worker_takes_over_from_one_that_was_killed(place: Path) -> None:
    with metrics("http/protobuf") as collector, pushing(place, collector, "gunicorn", workers=2) as server:
        sent = ask_all(server, 2)
        before = collector.until(lambda received: requests_in(received) == sent)
        os.kill(leader(server), signal.SIGKILL)
        sent += len(ask(server)) + len(ask(server))
        after = collector.until(lambda received: requests_in(received) == sent)
        (earlier,), (later,) = [push.metrics[REQUESTS].histogram.data_points for push in (before, after)]
        assert later.start_time_unix_nano == earlier.start_time_unix_nano
        assert after.resource == before.resource


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_numbers_arrive_before_a_server_ends(kind: Kind, place: Path) -> None:
    with metrics("http/protobuf") as collector:
        with pushing(place, collector, kind, OTEL_METRIC_EXPORT_INTERVAL=HOUR) as server:
            ask(server, 3)
            server.stop()
            assert "Traceback" not in server.log()
        assert requests_in(collector.left()[-1]) == 3


def test_all_numbers_arrive_before_several_workers_end(place: Path) -> None:
    with metrics("grpc") as collector:
        with pushing(place, collector, workers=3, OTEL_METRIC_EXPORT_INTERVAL=HOUR) as server:
            sent = ask_all(server, 3)
            server.stop()
        assert max(map(requests_in, collector.left())) == sent


FORKING = """
import os, sys
from stethoscope.exporters.sending import send
from stethoscope.settings import Settings
from stethoscope.store.registry import recorder_for
from stethoscope.names import Kind, Metric

TOLD = Metric("told", Kind.COUNTER, "Told.")
recorder = recorder_for(Settings.resolve(), "forking")
send(recorder)
recorder.counter(TOLD).add(1.0)
child = os.fork()
recorder.counter(TOLD).add(1.0)
if child:
    os.waitpid(child, 0)
    recorder.counter(TOLD).add(1.0)
    sys.stdin.read()
else:
    sys.exit()
"""


def test_a_process_that_forks_after_the_start_pushes_once(place: Path) -> None:
    with metrics("http/protobuf") as collector:
        env = os.environ | collector.environment | {"STETHOSCOPE_DIR": str(place), "PYTHONPATH": str(ROOT)}
        with subprocess.Popen([sys.executable, "-c", FORKING], env=env, stdin=subprocess.PIPE) as process:
            collector.until(lambda received: told_in(received) == [4.0])
            first, *others = [collector.next() for _ in range(6)]
            assert others[-1].at - first.at > 0.9 * len(others) * 0.1
            process.communicate()
        assert process.returncode == 0


def told_in(received: Push) -> list[float]:
    return [point.as_double for point in received.metrics["told"].sum.data_points]


@PROTOCOLS
def test_headers_compression_and_resource_are_as_the_variables_say(protocol: Protocol, place: Path) -> None:
    variables = {
        "OTEL_EXPORTER_OTLP_HEADERS": "x-api-key=a%20secret",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test,service.instance.id=seven",
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram",
    }
    with metrics(protocol) as collector, pushing(place, collector, "uvicorn", 1, **variables) as server:
        ask(server)
        received = collector.until(lambda received: requests_in(received) == 1)
        assert received.headers["x-api-key"] == "a secret"
        if protocol == "http/protobuf":  # gRPC does not show it to a server
            assert received.headers["content-encoding"] == "gzip"
        told = {"deployment.environment.name": "test", "service.instance.id": "seven", "service.name": "shop"}
        assert told.items() <= received.resource.items()
        assert received.metrics[REQUESTS].exponential_histogram.data_points[0].scale == 6
