"""How much resident memory grows over a million requests; see README, "Memory"."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from benchmarks.processes import Worker
from benchmarks.report import Floor, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

MODULE: Final = "benchmarks.memory_worker"
GROWTH_FLOOR_MIB: Final = 1.0
WARM_UP_REQUESTS: Final = 100_000
STEPS: Final = 10
PAIRS: Final = (("raw", "bare"), ("raw", "stethoscope"), ("starlette", "stethoscope"))
_MIB: Final = 2**20


def measure(contender: str, app: str, requests: int) -> list[float]:
    """Resident MiB after the warm-up, then after each tenth of `requests`."""
    with Worker(MODULE, [contender, app], os.environ) as worker:
        counts = [WARM_UP_REQUESTS, *[requests // STEPS] * STEPS]
        return [worker.ask("run", count)["bytes"] / _MIB for count in counts]


def run(requests: int) -> Result:
    readings = {(app, contender): measure(contender, app, requests) for app, contender in PAIRS}
    return Result(
        name="memory",
        floors=[
            Floor(f"RSS growth over {requests:,} requests ({app} app)", GROWTH_FLOOR_MIB, growth(resident), " MiB")
            for (app, contender), resident in readings.items()
            if contender == "stethoscope"
        ],
        columns=("app", "contender", "after warm-up MiB", "at half MiB", "at end MiB", "growth MiB"),
        rows=[(app, contender, *_cells(resident)) for (app, contender), resident in readings.items()],
        readings={f"{app}/{contender}": resident for (app, contender), resident in readings.items()},
        note=f"Warm-up: {WARM_UP_REQUESTS:,} requests. Growth is the most that any of {STEPS} readings exceeds it by.",
    )


def growth(resident: Sequence[float]) -> float:
    """MiB between the warm process and the largest later reading."""
    return max(resident[1:]) - resident[0]


def _cells(resident: Sequence[float]) -> tuple[str, ...]:
    points = (resident[0], resident[len(resident) // 2], resident[-1], growth(resident))
    return tuple(f"{point:.2f}" for point in points)
