"""Several processes of one app: slow queries are grouped over all of them, and over those that are gone."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

import stethoscope
from stethoscope import names
from stethoscope.instruments.database.instrument import instrument_of
from stethoscope.store import registry
from stethoscope.store.folder import Folder
from stethoscope.store.recorder import Recorder
from tests.instruments.sqlalchemy.comparing import CURIOUS
from tests.postgresql import Cluster
from tests.process.children import running, stay
from tests.process.stores import gatherer_in, total
from tests.process.test_forks import ended_well, fork
from tests.servers import Server, serve

WORKERS = 3
FORKS = 3
QUERIES = 40


def ask(server: Server, path: str) -> Any:
    """On a connection of its own, so that any worker may answer."""
    response = httpx.get(server.url + path, headers={"connection": "close"})
    assert response.status_code == 200
    return response


def until(condition: Callable[[], bool], what: str) -> None:
    never = threading.Event()
    for _ in range(300):
        if condition():
            return
        never.wait(0.05)
    raise AssertionError(f"{what}: not within 15 s")


def slow(server: Server) -> dict[str, float]:
    """Numbers of slow queries by route, as some worker tells them."""
    found = ask(server, "/told").json()["slow"]
    assert len({(system, fingerprint) for system, fingerprint, _, _ in found}) <= 1
    return {route: count for _, _, route, count in found}


def test_slow_queries_are_one_group_over_all_workers_and_outlive_one_that_is_killed(tmp_path: Path) -> None:
    with serve(
        "uvicorn", "tests.instruments.apps.slow:app", workers=WORKERS, env={"STETHOSCOPE_DIR": str(tmp_path)}
    ) as server:
        pids: list[int] = []
        while len(set(pids)) < WORKERS:
            pids.append(int(ask(server, "/often").text))
        once = ask(server, "/once")
        victim = int(once.text)
        expected = {"/often": len(pids), "/once": 1}
        until(lambda: slow(server) == expected, "all are recorded")
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in server.children(), "the worker is replaced")
        pids = []
        while len(set(pids)) < WORKERS:
            pids.append(int(ask(server, "/often").text))
        expected["/often"] += len(pids)
        until(lambda: slow(server) == expected, "those since are recorded")
        answers = [ask(server, "/told").json() for _ in range(3 * WORKERS)]
    assert all(answer == answers[0] for answer in answers)
    (note,) = [note for note in answers[0]["notes"] if note["route"] == "/once"]
    assert note["request_id"] == once.headers["x-request-id"]
    assert note["text"] == "SELECT ? AS name"
    assert len([note for note in answers[0]["notes"] if note["route"] == "/often"]) == 1


@pytest.fixture(params=["sqlite", "pg8000"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shop"
    cluster: Cluster = request.getfixturevalue("postgresql")
    return cluster.url("pg8000")


def use(engine: sa.Engine) -> None:
    for number in range(QUERIES):
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT CAST(:number AS INTEGER)"), {"number": number}).scalar() == number


def fork_with_engine(pipe: Connection, place: str, url: str) -> None:
    recorder = registry._default = Recorder("test", lambda: Folder(place))
    instrument_of(recorder, CURIOUS)
    engine = stethoscope.watch(sa.create_engine(url))

    def in_child() -> None:
        engine.dispose(close=False)  # as SQLAlchemy asks for after a fork
        use(engine)

    use(engine)
    children = [fork(in_child) for _ in range(FORKS)]
    use(engine)
    pipe.send(ended_well(children))
    stay(pipe)


def test_engine_that_is_forked_is_watched_in_each_process(tmp_path: Path, url: str) -> None:
    place = tmp_path / "segments"
    with running(fork_with_engine, str(place), url) as parent:
        assert parent.hear() is True
        seen = gatherer_in(place).gather()
    processes = FORKS + 2  # the parent twice
    assert total(seen, names.QUERY_DURATION) == processes * QUERIES
    assert total(seen, names.SLOW_QUERY_DURATION) == processes * QUERIES
    assert total(seen, names.POOL_USE_TIME) == processes * QUERIES
    assert total(seen, names.POOL_PENDING) == 0
    assert total(seen, names.INTERNAL_ERRORS) == 0
