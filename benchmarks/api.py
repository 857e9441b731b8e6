"""How long the metrics API takes to answer for a busy service; see README, "API"."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
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
EVERY: Final = 1.0
"""Seconds from one round of questions to the next, as a page or a script asks them."""
FIRSTS: Final = 5
"""Rounds in which nothing is remembered of what was asked before."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Answers by path, and the share of a core that the answering process took while it was asked all of it every second."""

    asked: dict[str, list[Answer]]
    first: dict[str, list[Answer]]
    share: float


def run(rounds: int) -> Result:
    found = measure(rounds)
    asked = {path: [answer["wall_seconds"] for answer in answers] for path, answers in found.asked.items()}
    slowest = max(asked, key=lambda path: p95(asked[path]))
    return Result(
        name="api",
        floors=[
            Floor(
                f"p95 of the slowest operation ({slowest})",
                FLOOR_MS,
                p95(asked[slowest]) * 1e3,
                " ms",
                spread=_span(asked[slowest]),
            ),
            Floor(
                "p95 of all operations together",
                FLOOR_MS,
                p95([one for of in asked.values() for one in of]) * 1e3,
                " ms",
            ),
        ],
        columns=("operation", "p95 ms", "median ms", "min–max ms", "first: median ms", "processor ms", "kB sent"),
        rows=[_row(path, answers, found.first[path]) for path, answers in found.asked.items()],
        readings={path: asked[path] for path in asked},
        note=f"{WORKERS} living workers × {ROUTES} routes × {len(STATUSES)} statuses, of which half was recorded more than "
        f"20 minutes ago; {rounds} rounds a second apart, each after every worker has recorded in every series, for which "
        f"the answering process took {found.share:.1%} of a core; first: {FIRSTS} rounds in which nobody had asked before.",
    )


def measure(rounds: int) -> Measured:
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=shared_memory()))
        env = {**os.environ, "STETHOSCOPE_SERVICE": "bench", "STETHOSCOPE_DIR": directory}
        workers = [stack.enter_context(Worker(MODULE, [str(number)], env)) for number in range(WORKERS)]
        _all(workers, "fill", 0.5)
        workers[0].ask("grow_old")
        _all(workers, "fill", 0.5)
        firsts = [_first(workers) for _ in range(FIRSTS)]
        _round(workers)
        spent, start = 0.0, time.monotonic()
        answers: list[list[Answer]] = []
        for _ in range(rounds):
            began = time.monotonic()
            _all(workers, "fill", 0.0)
            before = workers[0].ask("processor")["seconds"]
            answers.append(_round(workers))
            time.sleep(max(0.0, began + EVERY - time.monotonic()))
            spent += workers[0].ask("processor")["seconds"] - before
    return Measured(_by_path(answers), _by_path(firsts), spent / (time.monotonic() - start))


def _first(workers: Sequence[Worker]) -> list[Answer]:
    answers = []
    for number in range(len(PATHS)):
        _all(workers, "fill", 0.0)
        answers.append(_checked(number, workers[0].ask("first", number)))
    return answers


def _round(workers: Sequence[Worker]) -> list[Answer]:
    return [_checked(number, workers[0].ask("ask", number)) for number in range(len(PATHS))]


def _checked(number: int, answer: Answer) -> Answer:
    if answer["status"] != 200:
        raise WrongCount(f"{PATHS[number]} was answered with {answer['status']:.0f}, expected 200")
    return answer


def _by_path(rounds: list[list[Answer]]) -> dict[str, list[Answer]]:
    return {path: [answers[number] for answers in rounds] for number, path in enumerate(PATHS)}


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1]


def _all(workers: Sequence[Worker], command: str, argument: float) -> None:
    for worker in workers:
        worker.begin(command, argument)
    for worker in workers:
        worker.finish()


def _row(path: str, asked: Sequence[Answer], first: Sequence[Answer]) -> tuple[str, ...]:
    walls = [answer["wall_seconds"] for answer in asked]
    return (
        path,
        f"{p95(walls) * 1e3:.1f}",
        f"{statistics.median(walls) * 1e3:.1f}",
        _span(walls),
        f"{statistics.median(answer['wall_seconds'] for answer in first) * 1e3:.1f}",
        f"{statistics.median(answer['processor_seconds'] for answer in first) * 1e3:.1f}",
        f"{asked[-1]['bytes'] / 1e3:.1f}",
    )


def _span(seconds: list[float]) -> str:
    return f"{min(seconds) * 1e3:.1f}–{max(seconds) * 1e3:.1f}"
