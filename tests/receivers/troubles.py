"""What receivers over HTTP do to an exporter in a served app, and what the app must not notice of it."""

from __future__ import annotations

import socket
import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from time import perf_counter

import httpx

from tests.instruments.waiting import until
from tests.receivers.inbox import HALF, Answer
from tests.receivers.posts import posts
from tests.scrape import AUTHORIZED, METRICS, parse
from tests.servers import HOST, Server, free_port

Trouble = Callable[[], AbstractContextManager[int]]
"""A port where something is wrong."""

SECONDS_TO_END = 5.0


@contextmanager
def down() -> Iterator[int]:
    """Nobody listens."""
    yield free_port()


@contextmanager
def hanging() -> Iterator[int]:
    """Connections are taken by the kernel, and nobody reads from them."""
    with socket.create_server((HOST, 0), backlog=100) as listening:
        yield listening.getsockname()[1]


def ill(answer: Answer) -> Trouble:
    return lambda: posts(lambda post: (answer, b""))


TROUBLES: Mapping[str, Trouble] = {
    "down": down,
    "hanging": hanging,
    "429": ill(Answer(429, retry_after="300")),
    "500": ill(Answer(500)),
    "half an answer": ill(HALF),
}


def slowdown(ill: Server, well: Server, ask: Callable[[httpx.Client], object], times: int) -> float:
    """How many times longer a request takes where the receiver is in trouble: medians, in the least disturbed of three
    rounds. A worker that waited for its receiver would be slow in each."""
    return min(_median(ill, ask, times) / _median(well, ask, times) for _ in range(3))


def _median(server: Server, ask: Callable[[httpx.Client], object], times: int) -> float:
    taken = []
    with httpx.Client(base_url=server.url) as client:
        for _ in range(times):
            begun = perf_counter()
            ask(client)
            taken.append(perf_counter() - begun)
    return statistics.median(taken)


def lost(server: Server, exporter: str, count: int = 0) -> dict[str, float]:
    """What did not get there, by the reason; waits for ``count`` of it."""
    return until(lambda: _lost(server, exporter, count), f"{exporter} has lost {count}")[0]


def _lost(server: Server, exporter: str, count: int) -> list[dict[str, float]]:
    samples = parse(httpx.get(server.url + METRICS, headers=AUTHORIZED).text)
    series = samples.get("stethoscope_dropped_exports_total", {})
    reasons = {dict(name)["reason"]: value for name, value in series.items() if dict(name)["exporter"] == exporter}
    return [reasons] if sum(reasons.values()) >= count else []


def ends_in_time(server: Server) -> bool:
    begun = perf_counter()
    server.stop()
    return perf_counter() - begun < SECONDS_TO_END
