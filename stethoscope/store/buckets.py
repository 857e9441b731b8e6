"""The bucket scheme: one set of cells serves two distributions.

Guarantee: any quantile of what was recorded between ``lowest`` and ``highest`` is answered with a
relative error of at most 0.55 % (half the promised 1 %), and the count at or below each explicit
bound is exact.

The line of positive numbers is cut at the bounds of a base-2 exponential histogram of scale 6
(OpenTelemetry metrics data model, "ExponentialHistogram": 64 buckets an octave, base 2**(1/64)), and
again at the metric's explicit bounds. The pieces are *cells*. Summing the cells between two explicit
bounds gives explicit buckets; summing the one or two cells of an exponential bucket gives that
bucket back without loss. Upper bounds are inclusive in both, as Prometheus and OpenTelemetry have it.

Cells are grouped in blocks of 64, which is how the store allocates them: a series pays only for the
octaves that its values fall in.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Final

from stethoscope.names import Metric

SCALE: Final = 6
CELLS_PER_BLOCK: Final = 64
_PER_OCTAVE: Final = 2**SCALE

# Exponents of two between which values are resolved, by unit; the rest still counts, in the end cells.
_RANGES: Final = {
    "seconds": (-20, 12),  # 0.95 µs to 68 min
    "bytes": (0, 40),  # 1 B to 1 TiB
}
_ANY_RANGE: Final = (-30, 40)

Cells = Mapping[int, int]
"""Counts by cell number; cells that are not there are zero."""

Blocks = Mapping[int, Sequence[int]]
"""The 64 counts of each block, by its number, ascending; blocks that are not there are zero."""


@lru_cache(maxsize=8)
def _exponential_bounds(low: int, high: int) -> tuple[float, ...]:
    # 2.0 ** x is exact for whole x, so that octave bounds carry no rounding.
    return tuple(2.0 ** (index / _PER_OCTAVE) for index in range(low * _PER_OCTAVE, high * _PER_OCTAVE + 1))


class Buckets:
    """Cell bounds of one metric. Immutable, shared by all its series, safe in any thread.

    ``bucket_of[i]`` is the number of the explicit bucket that cell ``i`` is a part of, and
    ``bounds[i]`` its inclusive upper bound; cell 0 holds zeros, cell 1 what is
    positive but below the range, and the last cell (``len(bounds)``) what is above it. ``edges`` are
    the same as ``bounds``, in one piece of memory.
    """

    __slots__ = (
        "_explicit_cells",
        "_exponential",
        "_low",
        "_midpoints",
        "block_count",
        "bounds",
        "bucket_of",
        "cell_count",
        "edges",
        "explicit",
    )

    def __init__(self, explicit: tuple[float, ...], low: int, high: int) -> None:
        exponential = _exponential_bounds(low, high)
        self.explicit = explicit
        self.bounds: list[float] = sorted({0.0, *exponential, *explicit})
        self.edges = memoryview(struct.pack(f"{len(self.bounds)}d", *self.bounds)).cast("d")
        self.cell_count = len(self.bounds) + 1
        self.block_count = -(-self.cell_count // CELLS_PER_BLOCK)
        self._low = low * _PER_OCTAVE
        self._explicit_cells = tuple(bisect_left(self.bounds, bound) for bound in explicit)
        self._exponential = exponential
        self._midpoints: dict[int, float] = {}
        numbers = (bisect_left(self._explicit_cells, cell) for cell in range(self.cell_count))
        self.bucket_of: Sequence[int] = bytes(numbers) if len(explicit) < 256 else tuple(numbers)

    def cell(self, value: float) -> int:
        """Number of the cell that ``value`` (finite, not negative) falls in."""
        return bisect_left(self.bounds, value)

    def explicit_counts(self, cells: Cells) -> tuple[int, ...]:
        """Cumulative counts at each explicit bound, and the total last: ``len(explicit) + 1`` numbers."""
        counts = [0] * (len(self.explicit) + 1)
        for cell, count in cells.items():
            counts[self.bucket_of[cell]] += count
        return tuple(accumulate(counts))

    def quantiles(self, qs: Sequence[float], blocks: Iterable[int], counts: Iterable[int]) -> list[float]:
        """The values at quantiles ``qs`` (0–1), interpolated between neighbours in rank as NumPy's default does.

        ``counts`` are 64 for each of ``blocks``, which ascend. NaN when nothing was recorded. Values above the range are
        answered as the range's end.
        """
        # How many there are up to each cell: places of ranks are found in it by halving.
        running = list(accumulate(counts))
        total = running[-1] if running else 0
        if not total:
            return [float("nan")] * len(qs)
        firsts = [block * CELLS_PER_BLOCK for block in blocks]

        def at(place: int) -> float:
            return self.midpoint(firsts[place // CELLS_PER_BLOCK] + place % CELLS_PER_BLOCK)

        values = []
        for q in qs:
            rank = q * (total - 1)
            below = int(rank)
            place = bisect_right(running, below)
            value = at(place)
            if below + 1 < total and running[place] == below + 1:  # its neighbour in rank is in another cell
                value += (at(bisect_right(running, below + 1)) - value) * (rank - below)
            values.append(value)
        return values

    def midpoint(self, cell: int) -> float:
        """The value of a cell that has the least largest relative error: 2·l·u / (l + u) (DDSketch, section 2.1)."""
        if cell not in self._midpoints:
            self._midpoints[cell] = self._midpoint(cell)
        return self._midpoints[cell]

    def _midpoint(self, cell: int) -> float:
        if cell == 0:
            return 0.0
        if cell >= len(self.bounds):
            return self.bounds[-1]
        lower, upper = self.bounds[cell - 1], self.bounds[cell]
        return 2 * lower * upper / (lower + upper) if lower else upper

    def exponential(self, cells: Cells) -> tuple[int, dict[int, int]]:
        """The zero count, and counts by index of the scale-6 exponential histogram.

        Bucket ``i`` holds values in (2**(i/64), 2**((i+1)/64)]. What lies below or above the range
        counts in the outermost bucket.
        """
        counts: dict[int, int] = {}
        for cell, count in cells.items():
            if cell:
                index = self._exponential_index(cell)
                counts[index] = counts.get(index, 0) + count
        return cells.get(0, 0), counts

    def _exponential_index(self, cell: int) -> int:
        upper = self.bounds[cell] if cell < len(self.bounds) else float("inf")
        return self._low + bisect_left(self._exponential, upper) - 1


@lru_cache(maxsize=1024)
def buckets_of(bounds: tuple[float, ...], unit: str) -> Buckets:
    """The scheme for a histogram with these explicit bounds. One object for equal arguments."""
    return Buckets(bounds, *_RANGES.get(unit, _ANY_RANGE))


def buckets_for(metric: Metric) -> Buckets:
    return buckets_of(metric.bounds, metric.unit)


def cells_in_block(block: int, counts: list[int]) -> Iterator[tuple[int, int]]:
    """Cell numbers and counts of one block's non-zero cells."""
    first = block * CELLS_PER_BLOCK
    return ((first + lane, count) for lane, count in zip(range(CELLS_PER_BLOCK), counts, strict=True) if count)
