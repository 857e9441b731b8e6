"""How far merged quantiles are from NumPy's exact ones; see README, "Accuracy"."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.processes import Worker
from benchmarks.report import Floor, Result
from benchmarks.workload import DISTRIBUTIONS, WORKERS, WrongCount, values_of

if TYPE_CHECKING:
    from collections.abc import Mapping

MODULE: Final = "benchmarks.accuracy_worker"
QUANTILES: Final = (0.5, 0.95, 0.99, 0.999)
PERCENT_FLOOR: Final = 1.0

Pair = tuple[float, float]
"""Exact and answered, in seconds."""


def measure(count: int) -> dict[tuple[str, float], Pair]:
    """Exact and answered quantiles by distribution and quantile, `count` values spread over all workers."""
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        env = {**os.environ, "STETHOSCOPE_DIR": directory, "STETHOSCOPE_SERVICE": "bench"}
        workers = [stack.enter_context(Worker(MODULE, [str(n), str(count)], env)) for n in range(WORKERS)]
        for worker in workers:
            worker.begin("fill")
        for worker in workers:
            worker.finish()
        answered = {(name, q): ask(workers[0], name, q, count) for name in DISTRIBUTIONS for q in QUANTILES}
    exact = {name: np.quantile(values_of(name, count), QUANTILES).tolist() for name in DISTRIBUTIONS}
    return {(name, q): (exact[name][QUANTILES.index(q)], value) for (name, q), value in answered.items()}


def ask(worker: Worker, distribution: str, q: float, count: int) -> float:
    """The quantile of all `count` values in seconds; raises WrongCount when not all of them were merged."""
    answer = worker.ask(distribution, q)
    if answer["count"] != count:
        raise WrongCount(f"{distribution}: {count} values were recorded, {answer['count']:.0f} merged")
    return answer["value"]


def error_percent(pair: Pair) -> float:
    """Relative error in percent of the exact value."""
    exact, answered = pair
    return 100 * abs(answered - exact) / exact


def run(values: int) -> Result:
    found = measure(values)
    return Result(
        name="accuracy",
        floors=[_floor(name, found) for name in DISTRIBUTIONS],
        columns=("distribution", "quantile", "exact s", "answered s", "error %"),
        rows=[
            (name, f"p{q * 100:g}", f"{pair[0]:.6g}", f"{pair[1]:.6g}", f"{error_percent(pair):.3f}")
            for (name, q), pair in found.items()
        ],
        readings={f"{name}/{q}": pair for (name, q), pair in found.items()},
        note=f"{values:,} values per distribution, observed by {WORKERS} processes, each a different part of the range.",
    )


def _floor(distribution: str, found: Mapping[tuple[str, float], Pair]) -> Floor:
    worst = max(error_percent(pair) for (name, _), pair in found.items() if name == distribution)
    return Floor(f"worst quantile error, {distribution}", PERCENT_FLOOR, worst, " %")
