"""Merged histograms: counts, quantiles, sums and differences, each worked out when somebody asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, chain
from operator import add, sub
from typing import Final

from stethoscope.store import lanes
from stethoscope.store.buckets import CELLS_PER_BLOCK, Blocks, Buckets, Cells
from stethoscope.store.lanes import Lanes
from stethoscope.store.layout import BLOCK_BYTES
from stethoscope.store.lazy import lazy

Packed = Mapping[int, int]
"""The 64 counts of each block as one integer of 32 bits a count, the first lowest, none with its highest bit set; by the block's number, ascending."""

_HIGHEST_BITS: Final = int.from_bytes(b"\x00\x00\x00\x80" * CELLS_PER_BLOCK, "little")


class Distribution:
    """A merged histogram. Immutable; its count is by construction the sum of its explicit buckets.

    ``sum`` is in the metric's base unit. A worker that records while it is being read may be seen
    with an observation's bucket but not yet its sum, or the other way round: the sum can be off by
    the observations in flight, never the count against the buckets.
    """

    def __init__(self, buckets: Buckets, cells: Cells, sum: float) -> None:
        self.buckets = buckets
        self.cells = cells
        self.sum = sum

    @lazy
    def cumulative(self) -> tuple[int, ...]:
        """Counts at or below each explicit bound, and the count of all last."""
        return self.buckets.explicit_counts(self.cells)

    @property
    def count(self) -> int:
        return self.cumulative[-1]

    @property
    def mean(self) -> float:
        """Sum by count; NaN when nothing was recorded."""
        return self.sum / self.count if self.count else float("nan")

    def quantile(self, q: float) -> float:
        """The value at quantile ``q`` (0–1): at most 1 % off, relative; NaN when nothing was recorded.

        Raises ValueError when ``q`` is outside 0–1.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"quantile() takes a number from 0 to 1, got {q!r}; for the 95th percentile pass 0.95")
        return self.quantiles(q)[0]

    def quantiles(self, *qs: float) -> list[float]:
        """The values at several quantiles (0–1) for the price of one; each as `quantile` has it."""
        more, less = self.apart()
        quickly = lanes.quantiles([one.lanes() for one in more], [one.lanes() for one in less], qs, self.buckets.edges)
        return self._quantiles(qs) if quickly is None else quickly

    def _quantiles(self, qs: Sequence[float]) -> list[float]:
        packed = self.packed()
        if packed is not None:
            counts = b"".join([block.to_bytes(BLOCK_BYTES, "little") for block in packed.values()])
            return self.buckets.quantiles(qs, packed, memoryview(counts).cast("I"))
        blocks = self.blocks()
        return self.buckets.quantiles(qs, blocks, chain.from_iterable(blocks.values()))

    def above(self, value: float) -> int:
        """How many were above ``value``, which is taken as at most 1 % higher than it is."""
        block, place = divmod(self.buckets.cell(value), CELLS_PER_BLOCK)
        return sum(
            sum(counts[place + 1 :] if number == block else counts)
            for number, counts in self.blocks().items()
            if number >= block
        )

    def blocks(self) -> Blocks:
        """The counts of the cells by block, ascending; blocks without any may be left out."""
        found: dict[int, list[int]] = {}
        for cell, count in self.cells.items():
            block, place = divmod(cell, CELLS_PER_BLOCK)
            found.setdefault(block, [0] * CELLS_PER_BLOCK)[place] = count
        return dict(sorted(found.items()))

    def packed(self) -> Packed | None:
        """The same, each block as one integer with 32 bits a count; None where a count has 32 bits itself, or nobody has packed them."""
        return None

    def lanes(self) -> Lanes | None:
        """The counts as they were added up; None where one has 32 bits, or nobody has added them up."""
        return None

    def explicit(self) -> bytes | None:
        """The explicit buckets in 64 bits for each; None where nobody has added them up."""
        return None

    def apart(self) -> tuple[list[Distribution], list[Distribution]]:
        """What this is made of: the sum of the first without that of the second."""
        more: list[Distribution] = []
        less: list[Distribution] = []
        self._take_apart(more, less)
        return more, less

    def _take_apart(self, more: list[Distribution], less: list[Distribution]) -> None:
        more.append(self)

    def minus(self, earlier: Distribution) -> Distribution:
        """What was recorded since ``earlier``, an older state of the same series."""
        return _Since(self, earlier)

    def plus(self, other: Distribution) -> Distribution:
        """Both together: for summing series of one metric, say over status codes."""
        return together(self.buckets, (self, other))


class _Reckoned(Distribution):
    """A distribution made of others, of which only what somebody asks for is worked out."""

    @lazy
    def cumulative(self) -> tuple[int, ...]:
        more, less = self.apart()
        width = len(self.buckets.explicit) + 1
        quickly = lanes.cumulative([one.explicit() for one in more], [one.explicit() for one in less], width)
        return self._cumulative() if quickly is None else quickly

    def _cumulative(self) -> tuple[int, ...]:
        raise NotImplementedError

    @lazy
    def _packed(self) -> Packed | None:
        raise NotImplementedError

    def _reckon(self) -> Blocks:
        """Count by count, where they are not packed."""
        raise NotImplementedError

    def packed(self) -> Packed | None:
        return self._packed

    @lazy
    def _blocks(self) -> Blocks:
        packed = self._packed
        if packed is None:
            return self._reckon()
        return {
            block: memoryview(counts.to_bytes(BLOCK_BYTES, "little")).cast("I").tolist()
            for block, counts in packed.items()
        }

    def blocks(self) -> Blocks:
        return self._blocks

    @lazy
    def cells(self) -> dict[int, int]:  # type: ignore[override]
        return {
            block * CELLS_PER_BLOCK + place: count
            for block, counts in self.blocks().items()
            for place, count in enumerate(counts)
            if count
        }


class _Since(_Reckoned):
    """What was recorded from one state of a series to a later one."""

    def __init__(self, now: Distribution, then: Distribution) -> None:
        self.buckets = now.buckets
        self.sum = max(0.0, now.sum - then.sum)
        self.now = now
        self.then = then

    def _take_apart(self, more: list[Distribution], less: list[Distribution]) -> None:
        self.now._take_apart(more, less)
        self.then._take_apart(less, more)

    def _cumulative(self) -> tuple[int, ...]:
        less = [max(0, now - then) for now, then in zip(self.now.cumulative, self.then.cumulative, strict=True)]
        return tuple(accumulate(less, max))

    @lazy
    def _packed(self) -> Packed | None:
        now, then = self.now.packed(), self.then.packed()
        return None if now is None or then is None else _packed_less(now, then)

    def _reckon(self) -> Blocks:
        return _less(self.now.blocks(), self.then.blocks())


class _Together(_Reckoned):
    """The sum of several series."""

    def __init__(self, buckets: Buckets, parts: Sequence[Distribution]) -> None:
        self.buckets = buckets
        self.sum = sum(part.sum for part in parts)
        self._parts = parts

    def _take_apart(self, more: list[Distribution], less: list[Distribution]) -> None:
        for part in self._parts:
            part._take_apart(more, less)

    def _cumulative(self) -> tuple[int, ...]:
        nothing = (0,) * (len(self.buckets.explicit) + 1)
        return tuple(map(sum, zip(nothing, *(part.cumulative for part in self._parts), strict=True)))

    @lazy
    def _packed(self) -> Packed | None:
        return _packed_sum(part.packed() for part in self._parts)

    def _reckon(self) -> Blocks:
        return _all(part.blocks() for part in self._parts)


def _packed_less(packed: Packed, earlier: Packed) -> Packed | None:
    """None where a count would be negative, which no later state has unless something is damaged."""
    found: dict[int, int] = {}
    for block, counts in packed.items():
        before = earlier.get(block, 0)
        if counts != before:
            less = (counts | _HIGHEST_BITS) - before  # borrows end at the bit that is set above each count
            if less & _HIGHEST_BITS != _HIGHEST_BITS:
                return None
            found[block] = less ^ _HIGHEST_BITS
    return found


def _packed_sum(parts: Iterable[Packed | None]) -> Packed | None:
    found: dict[int, int] = {}
    for packed in parts:
        if packed is None:
            return None
        for block, counts in packed.items():
            found[block] = together = found.get(block, 0) + counts
            if together & _HIGHEST_BITS:
                return None
    return dict(sorted(found.items()))


def _less(blocks: Blocks, earlier: Blocks) -> Blocks:
    found: dict[int, Sequence[int]] = {}
    for block, counts in blocks.items():
        before = earlier.get(block)
        if before is None:
            found[block] = counts
        elif counts != before:
            found[block] = [max(0, count) for count in map(sub, counts, before)]
    return found


def together(buckets: Buckets, distributions: Iterable[Distribution]) -> Distribution:
    """The sum of any number of series of one metric, whose scheme is ``buckets``."""
    parts = list(distributions)
    if len(parts) == 1:
        return parts[0]
    windows = [part for part in parts if isinstance(part, _Since)]
    if not windows or len(windows) < len(parts):
        return _Together(buckets, parts)
    # The same as the sum of all differences, with one subtraction.
    now = _Together(buckets, [part.now for part in windows])
    return _Since(now, _Together(buckets, [part.then for part in windows]))


def _all(parts: Iterable[Blocks]) -> Blocks:
    found: dict[int, Sequence[int]] = {}
    for blocks in parts:
        for block, counts in blocks.items():
            known = found.get(block)
            found[block] = counts if known is None else list(map(add, known, counts))
    return dict(sorted(found.items()))
