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
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.processes import Worker
from benchmarks.report import Floor, Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
UNDETECTED: Final = "stethoscope-without-detection"
CONTENDERS: Final = ("bare", OURS, UNDETECTED, "opentelemetry", "opentelemetry-sampled", "asgi-profiler")
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
"""Seconds per query, by workload and contender."""


def measure(rounds: int, python: str) -> Readings:
    """Interleaved: each round visits every process once for each workload, in an order of its own."""
    readings: Readings = {workload: {name: [] for name in CONTENDERS} for workload in _REQUESTS}
    shuffled, names = random.Random(0), [*CONTENDERS]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(MODULE, [name], env, python)) for name in names}
        for worker in workers.values():
            worker.ask("small", 40)
            worker.ask("many", 2)
        for _ in range(rounds):
            for workload in [workload for workload, visits in _VISITS.items() for _ in range(visits)]:
                shuffled.shuffle(names)
                for name in names:
                    readings[workload][name].append(workers[name].ask(workload, _REQUESTS[workload])["seconds"])
    return readings


def run(rounds: int) -> Result:
    readings = measure(rounds, interpreter())
    return Result(
        name="database",
        floors=_floors(readings),
        columns=("requests of", "contender", "µs/query", "cost µs", "÷ opentelemetry"),
        rows=[_row(readings, workload, name) for workload in _REQUESTS for name in CONTENDERS],
        readings=readings,
        note=f"{rounds} rounds; SQLite in memory, SQLAlchemy 2.0, in a request of our middleware where the contender is ours. "
        "Least round of each process; 50 small Core queries, or 1,000 lazy loads of the ORM, in a request.",
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


def _floors(readings: Readings) -> Sequence[Floor]:
    ours = _cost(readings, "small", OURS)
    many: Mapping[str, Sequence[float]] = readings["many"]
    detection = min(many[OURS]) / min(many[UNDETECTED]) - 1
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
            detection,
            spread=f"{_median_ratio(many) - 1:.3f} by medians",
        ),
    ]


def _median_ratio(many: Mapping[str, Sequence[float]]) -> float:
    return statistics.median(many[OURS]) / statistics.median(many[UNDETECTED])
