"""Sentry in trouble: the app does not notice, losses are counted and told once, and the process ends in time."""

from __future__ import annotations

import re
import socket
import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import perf_counter

import httpx
import pytest

from tests.exporters.sentry.receiver import Received, refuse, sentry
from tests.scrape import AUTHORIZED, METRICS, TOKEN, parse
from tests.servers import Server, free_port, serve

APP = "tests.exporters.sentry.apps:plain"
REQUESTS = 80
_QUEUE = 100
"""Of the SDK."""
_SECONDS_TO_END = 5.0


@contextmanager
def down() -> Iterator[Received]:
    received = Received()
    received.dsn = f"http://key@127.0.0.1:{free_port()}/1"
    yield received


@contextmanager
def hanging() -> Iterator[Received]:
    """Connections are taken by the kernel, and nobody reads from them."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        received = Received()
        received.dsn = f"http://key@127.0.0.1:{listening.getsockname()[1]}/1"
        yield received


Receiver = Callable[[], AbstractContextManager[Received]]

TROUBLES: dict[str, Receiver] = {
    "down": down,
    "hanging": hanging,
    "429": lambda: sentry(refuse(429, Retry_After="30")),
}


def drive(server: Server) -> list[float]:
    """Seconds that each failing request took, which makes an event."""
    taken = []
    with httpx.Client(base_url=server.url) as client:
        for _ in range(REQUESTS):
            begun = perf_counter()
            assert client.get("/fail").status_code == 500
            taken.append(perf_counter() - begun)
    return taken


def lost(server: Server) -> float:
    samples = parse(httpx.get(server.url + METRICS, headers=AUTHORIZED).text)
    series = samples.get("stethoscope_dropped_exports_total", {})
    return sum(value for labels, value in series.items() if dict(labels)["exporter"] == "sentry")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_app_is_as_fast_losses_are_counted_and_told_once_and_it_ends_in_time(trouble: str, tmp_path: Path) -> None:
    with sentry() as healthy, TROUBLES[trouble]() as troubled:
        variables = {"STETHOSCOPE_TOKEN": TOKEN, "STETHOSCOPE_DIR": str(tmp_path / "segments")}
        with (
            serve("uvicorn", APP, env={"SENTRY_DSN": healthy.dsn, **variables}, options=["--factory"]) as well,
            serve("uvicorn", APP, env={"SENTRY_DSN": troubled.dsn, **variables}, options=["--factory"]) as ill,
        ):
            rounds = [(statistics.median(drive(ill)), statistics.median(drive(well))) for _ in range(3)]
            counted, log = lost(ill), ill.log()
            begun = perf_counter()
            ill.stop()
            ended = perf_counter() - begun
    # The least disturbed of the rounds: a worker that waited for Sentry would be slow in each.
    assert min(one / other for one, other in rounds) < 2
    # The SDK's own envelopes, such as sessions, are lost with the events; no event is counted twice.
    assert 3 * REQUESTS - _QUEUE - 1 <= counted < 6 * REQUESTS
    assert len(re.findall("events for Sentry are lost", log)) == 1
    assert ended < _SECONDS_TO_END
