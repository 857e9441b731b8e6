"""Reading a served app's metrics over HTTP, with a connection of its own each time, so that any worker may answer."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterable
from contextlib import closing

from prometheus_client.parser import text_string_to_metric_families

from tests.process.app import TOKEN
from tests.servers import HOST, Server

REQUESTS = "http_server_request_duration_seconds_count"
ACTIVE = "http_server_active_requests"
WORKERS = "stethoscope_workers"
PRIVATE = "stethoscope_private_store"


class Unanswered(Exception):
    """No answer, or none that is whole: the worker has ended."""


def get(server: Server, path: str = "/", seconds: float = 10) -> str:
    """The body of a 200. Raises `Unanswered`."""
    with closing(http.client.HTTPConnection(HOST, server.port, timeout=seconds)) as connection:
        try:
            connection.request("GET", path, headers={"authorization": f"Bearer {TOKEN}", "connection": "close"})
            answer = connection.getresponse()
            body = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(path) from error
    assert answer.status == 200, body
    return body


def answers(server: Server) -> bool:
    """Whether it serves already."""
    try:
        get(server)
    except Unanswered:
        return False
    return True


def scrape(server: Server) -> dict[str, float]:
    """Sums over all label sets, by sample name."""
    page = get(server, "/_stethoscope/metrics")
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0) + sample.value
    return sums


def scrapes(server: Server, times: int) -> list[dict[str, float]]:
    """So many scrapes, once all requests are recorded: that is an instant after their clients have the last byte."""
    never = threading.Event()
    for _ in range(200):
        if scrape(server).get(ACTIVE, 0.0) == 0:
            break
        never.wait(0.05)
    return [scrape(server) for _ in range(times)]


def request(server: Server) -> int:
    """One request on a connection of its own. Returns the pid of the worker that answered."""
    return int(get(server))


def requests_until(server: Server, workers: int) -> int:
    """Requests until so many workers have answered, and how many those were."""
    seen: set[int] = set()
    for count in range(1, 2000):
        seen.add(request(server))
        if len(seen) >= workers:
            return count
    raise AssertionError(f"only {len(seen)} of {workers} workers answered {count} requests:\n{server.log()}")


def values(answers: Iterable[dict[str, float]], name: str) -> list[float]:
    return [answer.get(name, 0.0) for answer in answers]
