"""How long the metrics API takes to answer for a busy service; see README, "API"."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from benchmarks.api_worker import PATHS
from benchmarks.processes import Answer, Worker
from benchmarks.report import Floor, Result
from benchmarks.scrape import shared_memory
from benchmarks.workload import ROUTES, STATUSES, WORKERS, WrongCount

if TYPE_CHECKING:
    from collections.abc import Sequence

MODULE: Final = "benchmarks.api_worker"
FLOOR_MS: Final = 20.0
_FRESH: Final = 1.1
"""Seconds after which no answer is given again."""


def run(rounds: int) -> Result:
    answers = measure(rounds)
    walls = {path: [answer["wall_seconds"] for answer in found] for path, found in answers.items()}
    slowest = max(walls, key=lambda path: p95(walls[path]))
    return Result(
        name="api",
        floors=[
            Floor(
                f"p95 of the slowest operation ({slowest})",
                FLOOR_MS,
                p95(walls[slowest]) * 1e3,
                " ms",
                spread=_span(walls[slowest]),
            ),
            Floor(
                "p95 of all operations together",
                FLOOR_MS,
                p95([one for of in walls.values() for one in of]) * 1e3,
                " ms",
            ),
        ],
        columns=("operation", "p95 ms", "median ms", "min–max ms", "processor ms", "kB sent"),
        rows=[_row(path, found) for path, found in answers.items()],
        readings={path: walls[path] for path in walls},
        note=f"{WORKERS} living workers × {ROUTES} routes × {len(STATUSES)} statuses, of which half was recorded more than "
        f"20 minutes ago; {rounds} rounds, each after every worker has recorded in every series.",
    )


def measure(rounds: int) -> dict[str, list[Answer]]:
    answers: dict[str, list[Answer]] = {path: [] for path in PATHS}
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=shared_memory()))
        env = {**os.environ, "STETHOSCOPE_SERVICE": "bench", "STETHOSCOPE_DIR": directory}
        workers = [stack.enter_context(Worker(MODULE, [str(number)], env)) for number in range(WORKERS)]
        _all(workers, "fill", 0.5)
        workers[0].ask("grow_old")
        _all(workers, "fill", 0.5)
        for _ in range(rounds):
            began = time.monotonic()
            for number, path in enumerate(PATHS):
                _all(workers, "fill", 0.0)
                answer = workers[0].ask("ask", number)
                if answer["status"] != 200:
                    raise WrongCount(f"{path} was answered with {answer['status']:.0f}, expected 200")
                answers[path].append(answer)
            time.sleep(max(0.0, began + _FRESH - time.monotonic()))
    return answers


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1]


def _all(workers: Sequence[Worker], command: str, argument: float) -> None:
    for worker in workers:
        worker.begin(command, argument)
    for worker in workers:
        worker.finish()


def _row(path: str, answers: Sequence[Answer]) -> tuple[str, ...]:
    walls = [answer["wall_seconds"] for answer in answers]
    processor = statistics.median(answer["processor_seconds"] for answer in answers)
    return (
        path,
        f"{p95(walls) * 1e3:.1f}",
        f"{statistics.median(walls) * 1e3:.1f}",
        _span(walls),
        f"{processor * 1e3:.1f}",
        f"{answers[-1]['bytes'] / 1e3:.1f}",
    )


def _span(seconds: list[float]) -> str:
    return f"{min(seconds) * 1e3:.1f}–{max(seconds) * 1e3:.1f}"
