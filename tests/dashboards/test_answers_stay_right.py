"""What is kept, remembered and made anew is what a look from scratch shows: as series come, workers die, and numbers are reset."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stethoscope import names
from stethoscope.dashboards.board import Board
from stethoscope.dashboards.documents.window import Moment
from stethoscope.dashboards.endpoints import Endpoints
from stethoscope.store.folder import Folder
from stethoscope.store.recorder import Recorder
from stethoscope.store.watched import Watched
from tests.dashboards.boards import API, TOKEN
from tests.dashboards.calling import call, http_scope, nothing
from tests.instruments.waiting import until

WORKER = """
import sys
from stethoscope import names
from stethoscope.store.folder import Folder
from stethoscope.store.recorder import Recorder

recorder = Recorder("shop", lambda: Folder(sys.argv[1]))
for number in range(300):
    recorder.request(("GET", f"/worker/{number % 7}", "200", "http", "")).record(number / 1000, 0, number)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    folder = Folder(str(tmp_path / "shop"))
    recorder = Recorder("shop", lambda: folder)
    yield recorder
    if recorder._place is not None:
        recorder._place.leave()


@pytest.fixture
def failures() -> list[tuple[str, Exception]]:
    return []


@pytest.fixture
def app(recorder: Recorder, failures: list[tuple[str, Exception]]) -> Endpoints:
    def on_error(where: str, error: Exception) -> None:
        failures.append((where, error))

    board = Board(lambda: Moment(recorder.snapshot(), recorder.history()), recorder, token=TOKEN, on_error=on_error)
    return Endpoints(
        recorder.snapshot, prefix="/_stethoscope", token=TOKEN, foreign=nothing, board=board, on_error=on_error
    )


def record(recorder: Recorder, route: str, *seconds: float, error: str = "") -> None:
    series = recorder.request(("GET", route, "500" if error else "200", "http", error))
    for one in seconds:
        series.record(one, 10, 1000)


def ask(app: Endpoints, path: str, query: str = "window=all&limit=1000") -> dict[str, Any]:
    answer = asyncio.run(call(app, http_scope(f"{API}/{path}", query=query, token=TOKEN)))
    assert answer.status == 200, answer
    document: dict[str, Any] = json.loads(answer.body)
    return document


def shown(app: Endpoints) -> dict[str, tuple[int, ...]]:
    """By route: requests, errors, and in microseconds mean, median and 95th percentile."""
    items = ask(app, "performance/endpoints")["items"]
    return {one["route"]: _numbers(one["count"], one["error_count"], one) for one in items}


def _numbers(count: int, errors: int, one: dict[str, Any]) -> tuple[int, ...]:
    return (count, errors, *(round(one[f"{name}_seconds"] * 1e6) for name in ("mean", "p50", "p95")))


def from_scratch(recorder: Recorder) -> dict[str, tuple[int, ...]]:
    """The same, from a reader of its own that has seen nothing before, by adding up cell by cell."""
    folder = recorder.folder
    assert folder is not None
    watched = Watched("shop", folder, lambda where, error: None)
    window = watched.history().window(watched.snapshot(), None)
    routes: dict[str, list[Any]] = {}
    for series in window.family(names.REQUEST_DURATION).series:
        routes.setdefault(series.labels[1], []).append(series)
    found = {}
    for route, of_route in routes.items():
        cells: dict[int, int] = {}
        for series in of_route:
            for cell, count in series.value.cells.items():
                cells[cell] = cells.get(cell, 0) + count
        total, spent = sum(cells.values()), sum(series.value.sum for series in of_route)
        if total:
            errors = sum(series.value.count for series in of_route if series.labels[-1])
            p50, p95 = (_quantile(of_route[0].value.buckets, cells, q) for q in (0.5, 0.95))
            found[route] = _numbers(
                total, errors, {"mean_seconds": spent / total, "p50_seconds": p50, "p95_seconds": p95}
            )
    return found


def _quantile(buckets: Any, cells: dict[int, int], q: float) -> float:
    """All observations one by one, in order."""
    values = [buckets.midpoint(cell) for cell in sorted(cells) for _ in range(cells[cell])]
    rank = q * (len(values) - 1)
    below, above = values[math.floor(rank)], values[math.ceil(rank)]
    return float(below + (above - below) * (rank - math.floor(rank)))


def same_in_time(app: Endpoints, recorder: Recorder) -> dict[str, tuple[int, ...]]:
    """What is shown, as soon as it is what there is; until then it may be less, never more."""
    expected = from_scratch(recorder)

    def look() -> dict[str, tuple[int, ...]] | None:
        found = shown(app)
        assert all(found[route][0] <= expected[route][0] for route in found)
        return found if found == expected else None

    return until(look, f"{expected}", seconds=60)


def test_answers_follow_what_happens(app: Endpoints, recorder: Recorder, failures: list[tuple[str, Exception]]) -> None:
    record(recorder, "/a", 0.1, 0.2, 0.3)
    record(recorder, "/b", 0.5, error="ValueError")
    assert shown(app) == from_scratch(recorder), "the first answer"

    for size in (3, 40, 200):  # more series, and more blocks of those that are there
        for number in range(size):
            record(recorder, f"/{number}", 0.001 * 2 ** (number % 9), 0.0003 * size)
        record(recorder, "/a", 0.01 * size)
        same_in_time(app, recorder)

    folder = recorder.folder
    assert folder is not None
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, folder.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        living = same_in_time(app, recorder)
        assert living["/worker/3"][0] == 43
        until(lambda: worker.pid in ask(app, "overview", "window=all")["window"]["workers"], "a worker", seconds=60)
        os.kill(worker.pid, signal.SIGKILL)
    until(lambda: worker.pid not in ask(app, "overview", "window=all")["window"]["workers"], "its end", seconds=60)
    record(recorder, "/a", 0.7)
    assert same_in_time(app, recorder)["/worker/3"] == living["/worker/3"], "the dead keep what they counted"
    assert failures == []


def test_after_a_reset_nobody_is_given_what_was_before(app: Endpoints, recorder: Recorder) -> None:
    """Also while the answers before it are made anew all the time."""
    for number in range(1, 6):
        record(recorder, "/a", *[0.1] * 10)
        assert "/a" in same_in_time(app, recorder)
        answer = asyncio.run(call(app, http_scope(f"{API}/reset", method="POST", token=TOKEN), b""))
        assert answer.status == 204
        assert shown(app) == {}
        record(recorder, "/a", *[0.2] * number)
        assert same_in_time(app, recorder)["/a"][0] == number
