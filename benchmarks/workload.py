"""What eight workers have measured when they are scraped, and what data the quantiles are asked of.

All of it follows from fixed seeds: each contender is given the very same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.random import Generator
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WORKERS: Final = 8
ROUTES: Final = 200
STATUSES: Final = (200, 404, 500)
PER_SERIES: Final = 300
_FASTEST_S: Final = 0.001
_SLOWEST_S: Final = 0.3
_SIGMA: Final = 0.5


class WrongCount(RuntimeError):
    """What was read is not exactly what was recorded: neither its speed nor its error means anything."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one worker saw of one route with one status: seconds and bytes, one each per request."""

    route: str
    status: int
    durations: list[float]
    sizes: list[int]


def traffic(worker: int) -> Iterator[Traffic]:
    """One worker's traffic: every route with every status.

    A route has a median duration of its own, spread evenly in ratio from 1 ms to 300 ms, and
    log-normal durations around it; the size of its responses hardly varies.
    """
    random = np.random.default_rng(worker)
    medians = np.geomspace(_FASTEST_S, _SLOWEST_S, ROUTES)
    sizes = np.random.default_rng(0).lognormal(np.log(4_000), 1.0, ROUTES)
    for number, (median, size) in enumerate(zip(medians, sizes, strict=True)):
        for status in STATUSES:
            durations = random.lognormal(np.log(median), _SIGMA, PER_SERIES)
            bodies = random.normal(size, 0.02 * size, PER_SERIES).astype(int)
            yield Traffic(f"/shop/{number:03}/items/{{item_id}}", status, durations.tolist(), bodies.tolist())


def _bimodal(random: Generator, count: int) -> Floats:
    fast = random.normal(0.005, 0.0005, count)
    slow = random.normal(0.5, 0.05, count)
    return np.abs(np.where(random.random(count) < 0.9, fast, slow))


DISTRIBUTIONS: Final[Mapping[str, Callable[[Generator, int], Floats]]] = {
    "uniform": lambda random, count: random.uniform(0.001, 1.0, count),
    "lognormal": lambda random, count: random.lognormal(np.log(0.05), 1.0, count),
    "bimodal": _bimodal,
    "pareto": lambda random, count: 0.001 * (1 + random.pareto(1.5, count)),
    "constant": lambda random, count: np.full(count, 0.123),
}
"""Seconds, by name; the Pareto's tail index of 1.5 gives it a mean but no variance."""


def values_of(distribution: str, count: int) -> Floats:
    """`count` values in ascending order."""
    number = list(DISTRIBUTIONS).index(distribution)
    return np.sort(DISTRIBUTIONS[distribution](np.random.default_rng(number), count))


def share_of(distribution: str, count: int, worker: int) -> Floats:
    """The part that `worker` observes: a run of neighbours, so that no worker's share is like the whole."""
    shares: list[Floats] = np.array_split(values_of(distribution, count), WORKERS)
    return shares[worker]
