"""Without any configuration the workers of a server find each other, whatever server it is and however it recycles them."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.process.scrapes import (
    ACTIVE,
    REQUESTS,
    WORKERS,
    Unanswered,
    get,
    request,
    requests_until,
    scrape,
    scrapes,
    values,
)
from tests.servers import Kind, Server, serve

APP = "tests.process.app:app"
MULTI: tuple[Kind, ...] = ("uvicorn", "gunicorn", "gunicorn-preload", "hypercorn", "granian")


def until(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Look again and again, ten times a second, until it is so."""
    never = threading.Event()
    for _ in range(int(seconds * 10)):
        if condition():
            return
        never.wait(0.1)
    raise AssertionError(f"{what}: not within {seconds:g} s")


@pytest.mark.parametrize("kind", MULTI)
def test_any_worker_answers_for_all_and_two_servers_of_one_app_stay_apart(kind: Kind) -> None:
    """A16, B5: N requests are N in each of ten scrapes, over two or three workers and without configuration."""
    workers = 3 if kind == "uvicorn" else 2
    with serve(kind, APP, workers=workers) as server, serve(kind, APP, workers=2) as other:
        count, count_of_other = requests_until(server, workers), requests_until(other, 2)
        for _ in range(20):
            request(server)
        seen = scrapes(server, 10)
        assert values(seen, REQUESTS) == [count + 20] * 10
        assert values(seen, WORKERS) == [workers] * 10
        assert values(seen, ACTIVE) == [0] * 10
        assert values(scrapes(other, 3), REQUESTS) == [count_of_other] * 3
        assert "stethoscope" not in server.log()


def test_servers_that_are_given_one_service_share_their_numbers(place: Path) -> None:
    """A17: one folder for a service that has a name, two when the names are two."""
    settings = {"STETHOSCOPE_DIR": str(place)}
    with (
        serve("uvicorn", APP, env={**settings, "STETHOSCOPE_SERVICE": "shop"}) as one,
        serve("granian", APP, env={**settings, "STETHOSCOPE_SERVICE": "shop"}) as two,
        serve("uvicorn", APP, env={**settings, "STETHOSCOPE_SERVICE": "till"}) as other,
    ):
        for server in (one, one, two, other):
            request(server)
        assert [scrapes(server, 1)[0][REQUESTS] for server in (one, two, other)] == [3, 3, 1]
    assert sorted(path.name for path in place.iterdir()) == ["shop", "till"]


def descendants(server: Server) -> list[int]:
    return [pid for pid in server.children() if _is_worker(pid)]


def _is_worker(pid: int) -> bool:
    try:
        return b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # ended since
        return False


class Client(threading.Thread):
    """Requests one after the other, each on a connection of its own, until told; notes what came of them."""

    def __init__(self, server: Server, over: threading.Event) -> None:
        super().__init__()
        self._server = server
        self._over = over
        self.completed = 0
        self.failed = 0

    def run(self) -> None:
        while not self._over.is_set():
            try:
                get(self._server)
                self.completed += 1
            except Unanswered:
                self.failed += 1


def test_workers_killed_under_load_lose_nothing_that_clients_saw_completed() -> None:
    """B4, B5, B24: SIGKILL at random instants, restarted by their server, scraped over HTTP all the while."""
    kills, choice, over = 5, random.Random(2026), threading.Event()
    with serve("uvicorn", APP, workers=3) as server:
        requests_until(server, 3)
        clients = [Client(server, over) for _ in range(3)]
        before, counts = scrapes(server, 1)[0][REQUESTS], []
        for client in clients:
            client.start()
        try:
            for _ in range(kills):
                victim = choice.choice(descendants(server))
                os.kill(victim, signal.SIGKILL)
                until(lambda gone=victim: gone not in descendants(server), "a worker is replaced")  # type: ignore[misc]
                for _ in range(3):
                    try:
                        counts.append(scrape(server)[REQUESTS])
                    except Unanswered:
                        pass  # the one that was to answer has been killed
        finally:
            over.set()
            for client in clients:
                client.join()
        requests_until(server, 3)
        at_last = scrapes(server, 5)
        over_all = at_last[0][REQUESTS] - before
    completed, failed = sum(client.completed for client in clients), sum(client.failed for client in clients)
    assert counts == sorted(counts)
    assert len(counts) >= kills
    assert completed > 50
    assert values(at_last, REQUESTS) == [at_last[0][REQUESTS]] * 5
    assert values(at_last, ACTIVE) == [0] * 5
    assert values(at_last, WORKERS) == [3] * 5
    assert over_all >= completed - kills
    assert failed <= kills * len(clients)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("gunicorn", ["--max-requests", "5"]),
        ("uvicorn", ["--limit-max-requests", "5"]),
        ("hypercorn", ["--max-requests", "5"]),
    ],
)
def test_recycled_workers_leave_their_counts_behind(kind: Kind, options: list[str]) -> None:
    """B5, B6: max-requests. Requests that a worker refused while it ended are no requests."""
    with serve(kind, APP, workers=2, options=options) as server:
        done, pids = 0, set[int]()

        def replaced() -> bool:
            nonlocal done
            for _ in range(4):
                try:
                    pids.add(request(server))
                except Unanswered:
                    continue
                done += 1
            return len(pids) > 4

        until(replaced, "workers are replaced")
        until(lambda: answers(server), "a worker listens")
        # Scrapes use up workers, too, and are not measured.
        seen = [scrape_patiently(server) for _ in range(5)]
    assert values(seen, ACTIVE) == [0] * 5
    assert all(value >= done for value in values(seen, REQUESTS))
    assert values(seen, REQUESTS) == sorted(values(seen, REQUESTS))


def answers(server: Server) -> bool:
    try:
        return bool(request(server))
    except Unanswered:
        return False


def scrape_patiently(server: Server) -> dict[str, float]:
    found: list[dict[str, float]] = []

    def try_it() -> bool:
        try:
            found.append(scrape(server))
        except Unanswered:
            return False
        return True

    until(try_it, "a worker answers a scrape")
    return found[0]


def test_counts_go_on_when_uvicorn_reloads(tmp_path: Path) -> None:
    """C4, B5: --reload, a file touched."""
    module = tmp_path / "reloaded.py"
    module.write_text("from tests.process.app import app\n")
    options = ["--reload", "--reload-dir", str(tmp_path)]
    with serve("uvicorn", "reloaded:app", options=options, cwd=tmp_path) as server:
        first = request(server)
        for _ in range(4):
            request(server)
        asked = looked = 0

        def reloaded() -> bool:
            nonlocal asked, looked
            if looked % 30 == 0:  # again, because a change goes unnoticed while uvicorn is about to start watching
                module.write_text(f"from tests.process.app import app  # changed, {looked}\n")
            looked += 1
            try:
                pid = request(server)
            except Unanswered:
                return False
            asked += 1
            return pid != first

        until(reloaded, "uvicorn reloads")
        assert values(scrapes(server, 3), REQUESTS) == [5 + asked] * 3


def test_requests_in_flight_are_forgotten_with_the_worker_that_had_them() -> None:
    """B4: kill -9 in mid-request."""
    with serve("uvicorn", APP, workers=2) as server, ExitStack() as stack:
        requests_until(server, 2)
        for _ in range(4):
            client = threading.Thread(target=ask_for_what_never_comes, args=(server,))
            client.start()
            stack.callback(client.join)
        until(lambda: scrape(server)[ACTIVE] == 4, "four requests are in flight")
        for pid in descendants(server):
            os.kill(pid, signal.SIGKILL)
        until(lambda: answers(server), "a worker is replaced")
        assert scrape(server)[ACTIVE] == 0


def ask_for_what_never_comes(server: Server) -> None:
    with pytest.raises(Unanswered):
        get(server, "/slow", 60)
