"""What watching a query costs: contender minus bare, per query, all in one environment.

OpenTelemetry's instrumentation refuses SQLAlchemy 2.1 (0.66b1 does nothing there), so that all contenders are
measured with the newest release that it accepts, in an environment that is made for it at the first run.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import venv
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.processes import Worker
from benchmarks.report import Floor, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MODULE: Final = "benchmarks.database_worker"
ROOT: Final = Path(__file__).resolve().parent.parent
ENVIRONMENT: Final = ROOT / ".venvs" / "database-benchmark"
PACKAGES: Final = (
    "sqlalchemy>=2.0,<2.1",
    "opentelemetry-instrumentation-sqlalchemy>=0.60b0",
    "opentelemetry-sdk>=1.30",
    "asgi-profiler>=0.3",
    "anyio>=4.0",
)
OURS: Final = "stethoscope"
CONTENDERS: Final = ("bare", OURS, "opentelemetry", "opentelemetry-sampled", "asgi-profiler")
OPENTELEMETRY_FLOOR: Final = 0.12
PROFILER_FLOOR: Final = 1.0
DETECTION_FLOOR: Final = 0.05
_REQUESTS: Final = {"small": 10, "many": 1}
"""Of one visit."""
_VISITS: Final = {"small": 5, "many": 1}
"""In one round."""


def interpreter() -> str:
    """Of the environment, made if it is not there."""
    python = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / "ready").exists():
        print(f"Making {ENVIRONMENT.relative_to(ROOT)} with {', '.join(PACKAGES)}", file=sys.stderr)
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", *PACKAGES], check=True)
        (ENVIRONMENT / "ready").touch()
    return str(python)


Readings = dict[str, dict[str, list[float]]]
"""Seconds per query, by workload and contender. Several processes of a contender follow each other."""


def measure(rounds: int, processes: int, python: str) -> Readings:
    """Interleaved: each round visits a process of each contender once for each workload, in an order of its own.

    Processes differ by where things lie in memory: each contender has several, one after the other.
    """
    readings: Readings = {workload: {name: [] for name in CONTENDERS} for workload in _REQUESTS}
    for _ in range(processes):
        with _workers(python) as workers:
            _visit(workers, rounds, readings)
    return readings


@contextmanager
def _workers(python: str) -> Iterator[dict[str, Worker]]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(MODULE, [name], env, python)) for name in CONTENDERS}
        for worker in workers.values():
            worker.ask("small", 40)
            worker.ask("many", 2)
        yield workers


def _visit(workers: Mapping[str, Worker], rounds: int, readings: Readings) -> None:
    shuffled, names = random.Random(0), [*CONTENDERS]
    for workload in [workload for workload, visits in _VISITS.items() for _ in range(visits * rounds)]:
        shuffled.shuffle(names)
        for name in names:
            readings[workload][name].append(workers[name].ask(workload, _REQUESTS[workload])["seconds"])


def measure_detection(pairs: int, python: str) -> list[float]:
    """A request of 1,000 lazy loads with detection, by the same without, in one process: a ratio for each pair.

    Which of the two comes first changes from pair to pair, so that what drifts takes no side.
    """
    ratios: list[float] = []
    with Worker(MODULE, [OURS], {**os.environ, "PYTHONPATH": str(ROOT)}, python) as worker:
        worker.ask("many", 3)
        for pair in range(pairs):
            ways = ("many", "undetected")
            seconds = {way: worker.ask(way, 1)["seconds"] for way in (ways if pair % 2 else ways[::-1])}
            ratios.append(seconds["many"] / seconds["undetected"])
    return ratios


def run(rounds: int, processes: int, pairs: int) -> Result:
    python = interpreter()
    readings = measure(rounds, processes, python)
    detection = measure_detection(pairs, python)
    return Result(
        name="database",
        floors=_floors(readings, detection),
        columns=("requests of", "contender", "µs/query", "cost µs", "÷ opentelemetry"),
        rows=[_row(readings, workload, name) for workload in _REQUESTS for name in CONTENDERS],
        readings={**readings, "detection": {OURS: detection}},
        note=f"{rounds} rounds of {processes} processes; SQLite in memory, SQLAlchemy 2.0, in a request of our middleware where the "
        "contender is ours. 50 small Core queries, or 1,000 lazy loads of the ORM, in a request: least round of all. "
        f"Detection: median of {pairs} pairs of such requests with and without it, in one process.",
    )


def _cost(readings: Readings, workload: str, name: str) -> float:
    """Added to a query. What disturbs a round only ever adds, so that the least one counts."""
    return min(readings[workload][name]) - min(readings[workload]["bare"])


def _row(readings: Readings, workload: str, name: str) -> tuple[str, ...]:
    cost = _cost(readings, workload, name)
    return (
        "50 queries" if workload == "small" else "1,000 lazy loads",
        name,
        f"{min(readings[workload][name]) * 1e6:.2f}",
        f"{cost * 1e6:.2f}",
        f"{cost / _cost(readings, workload, 'opentelemetry'):.3f}",
    )


def _floors(readings: Readings, detection: Sequence[float]) -> Sequence[Floor]:
    ours = _cost(readings, "small", OURS)
    low, median, high = statistics.quantiles(detection, n=4)
    return [
        Floor(
            "cost of a query ÷ opentelemetry, unsampled",
            OPENTELEMETRY_FLOOR,
            ours / _cost(readings, "small", "opentelemetry"),
        ),
        Floor("cost of a query ÷ asgi-profiler", PROFILER_FLOOR, ours / _cost(readings, "small", "asgi-profiler")),
        Floor(
            "detection in a request of 1,000 queries",
            DETECTION_FLOOR,
            median - 1,
            spread=f"{low - 1:.3f} to {high - 1:.3f} (quartiles)",
        ),
    ]
