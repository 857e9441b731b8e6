"""An app in a real server that pushes to a receiver of the test."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from tests.receivers.otlp import MetricsCollector, Push
from tests.servers import Kind, Server, serve

REQUESTS = "http.server.request.duration"


@contextlib.contextmanager
def pushing(
    place: Path, collector: MetricsCollector, kind: Kind = "uvicorn", workers: int = 1, **environment: Any
) -> Iterator[Server]:
    env = {"STETHOSCOPE_DIR": str(place), "STETHOSCOPE_SERVICE": "shop", **collector.environment, **environment}
    with serve(kind, "tests.process.app:app", workers=workers, env=env) as server:
        yield server


def ask(server: Server, times: int = 1) -> set[int]:
    """Send requests on connections of their own; returns the workers that answered."""
    return {int(httpx.get(server.url + "/").text) for _ in range(times)}


def ask_all(server: Server, workers: int) -> int:
    """Send requests until each worker has answered one; returns how many it took."""
    pids: set[int] = set()
    for sent in range(1, 500):
        pids |= ask(server)
        if len(pids) == workers:
            return sent
    raise AssertionError(f"only {len(pids)} of {workers} workers answered")


def requests_in(received: Push) -> int:
    """How many requests a push tells of."""
    return count(received.metrics.get(REQUESTS))


def count(metric: Metric | None) -> int:
    """Observations in all points of a histogram of either form."""
    if metric is None:
        return 0
    data = metric.histogram if metric.HasField("histogram") else metric.exponential_histogram
    return sum(point.count for point in data.data_points)


def leader(server: Server) -> int:
    """The worker that holds the lease."""
    for pid in server.children() or [server.pid]:
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{descriptor}").endswith("/otlp.lock"):
                        return pid
    raise AssertionError("no worker holds the lease")
