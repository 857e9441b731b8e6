"""What sampling takes of a core, and what instruments add to a request; see README, "Vitals"."""

from __future__ import annotations

import os
import statistics
from contextlib import ExitStack
from typing import Final

from benchmarks.inprocess import ROUND_SECONDS, Readings, measure
from benchmarks.processes import Worker
from benchmarks.report import Floor, Result

MODULE: Final = "benchmarks.vitals_worker"
APP: Final = "raw"
SHARE_FLOOR: Final = 0.2
RATIO_FLOOR: Final = 1.3
ALONE: Final = "stethoscope-alone"
SAMPLED: Final = ("stethoscope", ALONE)
INSTRUMENTS: Final = ("stethoscope-runtime", "stethoscope-queue", "stethoscope-requests")
CONTENDERS: Final = {APP: ("bare", ALONE, *INSTRUMENTS)}
RATES: Final = (0, 2, 20)
"""Requests per second while it is looked what sampling takes."""

Shares = dict[int, list[float]]


def run(rounds: int, processes: int, seconds: int, periods: int) -> Result:
    shares, readings = sampling(seconds, periods), measure(CONTENDERS, rounds, processes)
    return Result(
        name="vitals",
        floors=[_share(shares), *(_ratio(readings, name) for name in INSTRUMENTS)],
        columns=("of", "what", "is", "min–max"),
        rows=[
            *(
                (f"{rate} requests/s", "% of a core for sampling", f"{statistics.median(values):.3f}", _span(values))
                for rate, values in shares.items()
            ),
            *(_row(readings, name) for name in INSTRUMENTS),
        ],
        readings={
            "shares": shares,
            **{f"{entry.contender}/{entry.copy}": list(values) for entry, values in readings.seconds.items()},
        },
        note=f"Sampling: {periods} periods of {seconds} s for each rate, processor time with all instruments minus without. "
        f"Requests: {rounds} rounds of {ROUND_SECONDS * 1e3:g} ms in {processes} processes each.",
    )


def sampling(seconds: int, periods: int) -> Shares:
    """Per cent of a core by rate, one figure for each period, both contenders at once."""
    shares: Shares = {rate: [] for rate in RATES}
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(MODULE, [name, str(seconds)], os.environ)) for name in SAMPLED]
        for _ in range(periods):
            for rate in RATES:
                for worker in workers:
                    worker.begin("serve", rate)
                with_all, without = (worker.finish()["seconds"] for worker in workers)
                shares[rate].append(100 * (with_all - without) / seconds)
    return shares


def _share(shares: Shares) -> Floor:
    worst = max(shares.values(), key=statistics.median)
    return Floor(
        measure="sampling, at the rate of requests at which it takes most",
        must=SHARE_FLOOR,
        got=statistics.median(worst),
        unit=" % of a core",
        spread=_span(worst),
    )


def _ratio(readings: Readings, contender: str) -> Floor:
    ours, alone = readings.costs(APP, contender), readings.costs(APP, ALONE)
    return Floor(
        measure=f"cost of a request with {contender} ÷ without any instrument",
        must=RATIO_FLOOR,
        got=statistics.median(ours) / statistics.median(alone),
        spread=f"{min(ours) / max(alone):.3g}–{max(ours) / min(alone):.3g}",
        disturbed=min(alone) <= 0,
    )


def _row(readings: Readings, contender: str) -> tuple[str, ...]:
    alone = statistics.median(readings.best(APP, ALONE))
    added = [(seconds - alone) * 1e6 for seconds in readings.best(APP, contender)]
    return (contender, "µs added to a request", f"{statistics.median(added):.2f}", _span(added))


def _span(values: list[float]) -> str:
    return f"{min(values):.3g}–{max(values):.3g}"
