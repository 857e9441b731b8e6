"""What one request costs in the process, contender minus bare app; see README, "In process"."""

from __future__ import annotations

import os
import random
import statistics
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.processes import Worker
from benchmarks.report import Floor, Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MODULE: Final = "benchmarks.inprocess_worker"
ROUND_SECONDS: Final = 0.015
STACK_FLOOR: Final = 0.06
WRAP_FLOOR: Final = 8.0
DEFAULT_CONTENDERS: Final = {
    "raw": ("bare", "wrap", "stethoscope"),
    "starlette": ("bare", "wrap", "stethoscope", "stack", "stack-multiprocess", "pfi"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One process: a contender around an app, `copy` telling processes of the same pair apart."""

    app: str
    contender: str
    copy: int


@dataclass(frozen=True, slots=True)
class Readings:
    """Seconds per request of every round of every process; each process's peak memory in bytes."""

    seconds: Mapping[Entry, Sequence[float]]
    peak_bytes: Mapping[Entry, float]

    def best(self, app: str, contender: str) -> list[float]:
        """Per process the least of its rounds: what disturbs a round only ever adds."""
        return [
            min(rounds) for entry, rounds in self.seconds.items() if (entry.app, entry.contender) == (app, contender)
        ]

    def costs(self, app: str, contender: str) -> list[float]:
        """Seconds that the contender adds to a request, one figure per process."""
        bare = statistics.median(self.best(app, "bare"))
        return [seconds - bare for seconds in self.best(app, contender)]

    def peak(self, app: str, contender: str) -> float:
        return statistics.median(
            peak for entry, peak in self.peak_bytes.items() if (entry.app, entry.contender) == (app, contender)
        )


def measure(contenders: Mapping[str, Sequence[str]], rounds: int, copies: int) -> Readings:
    """Interleaved rounds: each round visits every process once, in an order of its own."""
    entries = [
        Entry(app, contender, copy)
        for app, names in contenders.items()
        for contender in names
        for copy in range(copies)
    ]
    seconds: dict[Entry, list[float]] = {entry: [] for entry in entries}
    shuffled = random.Random(0)
    with ExitStack() as stack:
        workers = {
            entry: stack.enter_context(Worker(MODULE, [entry.contender, entry.app], os.environ)) for entry in entries
        }
        for worker in workers.values():
            worker.ask("calibrate", ROUND_SECONDS)
        for _ in range(rounds):
            shuffled.shuffle(entries)
            for entry in entries:
                seconds[entry].append(workers[entry].ask("run")["seconds"])
        peaks = {entry: worker.ask("peak")["bytes"] for entry, worker in workers.items()}
    return Readings(seconds, peaks)


def run(contenders: Mapping[str, Sequence[str]], rounds: int, copies: int) -> Result:
    readings = measure(contenders, rounds, copies)
    pairs = [(app, name) for app, names in contenders.items() for name in names]
    return Result(
        name="inprocess",
        floors=_floors(readings, pairs),
        columns=("app", "contender", "µs/request", "cost µs", "min–max", "÷ wrap", "peak MiB"),
        rows=[_row(readings, app, name, "wrap" in contenders[app]) for app, name in pairs],
        readings={
            f"{entry.app}/{entry.contender}/{entry.copy}": list(values) for entry, values in readings.seconds.items()
        },
        note=f"{rounds} rounds of {ROUND_SECONDS * 1e3:g} ms in {copies} processes each; "
        "least round per process, median over processes.",
    )


def _row(readings: Readings, app: str, contender: str, wrap_measured: bool) -> tuple[str, ...]:
    costs = readings.costs(app, contender)
    cost = statistics.median(costs)
    ratio = cost / statistics.median(readings.costs(app, "wrap")) if wrap_measured else 0.0
    return (
        app,
        contender,
        f"{statistics.median(readings.best(app, contender)) * 1e6:.2f}",
        f"{cost * 1e6:.2f}",
        f"{min(costs) * 1e6:.2f}–{max(costs) * 1e6:.2f}",
        f"{ratio:.1f}" if wrap_measured else "",
        f"{readings.peak(app, contender) / 2**20:.1f}",
    )


def _floors(readings: Readings, pairs: Sequence[tuple[str, str]]) -> list[Floor]:
    wanted = [("starlette", "stack", STACK_FLOOR), ("raw", "wrap", WRAP_FLOOR)]
    wanted.append(("starlette", "wrap", WRAP_FLOOR))
    return [
        _ratio(readings, app, rival, must)
        for app, rival, must in wanted
        if {(app, "bare"), (app, rival), (app, "stethoscope")} <= set(pairs)
    ]


def _ratio(readings: Readings, app: str, rival: str, must: float) -> Floor:
    ours, theirs = readings.costs(app, "stethoscope"), readings.costs(app, rival)
    return Floor(
        measure=f"in-process cost ÷ {rival} ({app} app)",
        must=must,
        got=statistics.median(ours) / statistics.median(theirs),
        spread=f"{min(ours) / max(theirs):.3g}–{max(ours) / min(theirs):.3g}",
        disturbed=min(theirs) <= 0,  # the rival's cost drowned in the noise
    )
