"""What tracing adds to a request in the process; see README, "Tracing"."""

from __future__ import annotations

import statistics
from typing import Final

from benchmarks.inprocess import ROUND_SECONDS, Readings, measure
from benchmarks.report import Floor, Result

APP: Final = "raw"
UNSAMPLED_FLOOR: Final = 1.5
SAMPLED_FLOOR: Final = 0.5
CONTENDERS: Final = {
    APP: (
        "bare",
        "stethoscope",
        "stethoscope-unsampled",
        "stethoscope-sampled",
        "opentelemetry-unsampled",
        "opentelemetry-sampled",
    )
}
_WITHOUT: Final = {"stethoscope": "stethoscope", "opentelemetry": "bare"}
"""What each is held against: the same without traces."""


def run(rounds: int, copies: int) -> Result:
    readings = measure(CONTENDERS, rounds, copies)
    traced = [name for name in CONTENDERS[APP] if "-" in name]
    return Result(
        name="tracing",
        floors=_floors(readings),
        columns=("contender", "µs/request", "added µs", "min–max"),
        rows=[_row(readings, name) for name in traced],
        readings={f"{entry.contender}/{entry.copy}": list(values) for entry, values in readings.seconds.items()},
        note=f"{rounds} rounds of {ROUND_SECONDS * 1e3:g} ms in {copies} processes each; least round per process, "
        "median over processes; added to the same without traces.",
    )


def added(readings: Readings, contender: str) -> list[float]:
    """Seconds that traces add to a request, one figure per process."""
    without = statistics.median(readings.best(APP, _WITHOUT[contender.partition("-")[0]]))
    return [seconds - without for seconds in readings.best(APP, contender)]


def _row(readings: Readings, contender: str) -> tuple[str, ...]:
    costs = added(readings, contender)
    return (
        contender,
        f"{statistics.median(readings.best(APP, contender)) * 1e6:.2f}",
        f"{statistics.median(costs) * 1e6:.2f}",
        f"{min(costs) * 1e6:.2f}–{max(costs) * 1e6:.2f}",
    )


def _floors(readings: Readings) -> list[Floor]:
    unsampled, ours = added(readings, "stethoscope-unsampled"), added(readings, "stethoscope-sampled")
    theirs = added(readings, "opentelemetry-sampled")
    return [
        Floor(
            measure="µs that tracing adds to a request that is not sampled",
            must=UNSAMPLED_FLOOR,
            got=statistics.median(unsampled) * 1e6,
            spread=f"{min(unsampled) * 1e6:.3g}–{max(unsampled) * 1e6:.3g}",
        ),
        Floor(
            measure="what tracing adds to a sampled request ÷ opentelemetry-instrumentation-asgi",
            must=SAMPLED_FLOOR,
            got=statistics.median(ours) / statistics.median(theirs),
            spread=f"{min(ours) / max(theirs):.3g}–{max(ours) / min(theirs):.3g}",
            disturbed=min(theirs) <= 0,
        ),
    ]
