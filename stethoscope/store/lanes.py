"""Blocks of 32-bit counts, added up as wide integers.

A segment's blocks are put in the order of the sum, one after the other, and become one integer of
32 bits for each count. Adding two such integers adds all their counts at once, exactly, while no
count overflows into its neighbour. Blocks where one might (a count of 2**24 or more) are taken out
and added count by count, and after 200 additions the sum is spelled out before it goes on.

Most of the time of adding up goes into joining and converting the bytes. Where the package was compiled (`stethoscope.hot`),
``_hot_lanes.c`` does it in a tenth of that, unless a count is so large that it takes the slow way here, too.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite, nextafter
from operator import add
from threading import Lock
from typing import Any, Final

from stethoscope import hot
from stethoscope.store.buckets import CELLS_PER_BLOCK
from stethoscope.store.layout import BLOCK_BYTES, WIDE_BYTES
from stethoscope.store.turns import let_others_run

_RUN: Final = 128
"""Slots that are added as one integer, of 32 kB."""

_HIGH_BYTES: Final = b"\x00\x00\x00\xff" * CELLS_PER_BLOCK
_HIGH_BITS: Final = int.from_bytes(_HIGH_BYTES, "little")
_HIGH_BITS_OF_RUN: Final = int.from_bytes(_HIGH_BYTES * _RUN, "little")
_HIGHEST_BITS_OF_RUN: Final = int.from_bytes(b"\x00\x00\x00\x80" * CELLS_PER_BLOCK * _RUN, "little")
_EMPTY: Final = bytes(BLOCK_BYTES)
_MOST_ADDITIONS: Final = 200
NOWHERE: Final = -1
"""The place of a block that a segment does not have."""

Places = Sequence[int]
"""By slot: the offset of the block's bytes, or `NOWHERE`; those after the last one are nowhere."""

Lanes = tuple[bytes, Mapping[int, int]]
"""Counts of 32 bits each, none with its highest bit set; and by a block's number, ascending, which of them is its first."""


def quantiles(
    more: list[Lanes | None], less: list[Lanes | None], qs: tuple[float, ...], edges: memoryview[float]
) -> list[float] | None:
    """The quantiles of all counts in ``more`` without those in ``less``, as `Buckets.quantiles` has them.

    None where only Python can tell: nothing is compiled, or the lanes are not there, or there is less than less.
    """
    return None


def cumulative(more: list[bytes | None], less: list[bytes | None], width: int) -> tuple[int, ...] | None:
    """Running sums of ``width`` counts of 64 bits, likewise."""
    return None


def sum_blocks(parts: list[tuple[bytes, array[int]]], slots: int) -> bytes | None:
    """The counts of all slots, as in `Lanes`, of segments' bytes and the places in them. None as above, or where counts are large."""
    return None


def add_words_plainly(sums: array[float], data: bytes, pairs: array[int], width: int = 1) -> None:
    """``pairs`` are, one after the other, which of the sums and the offset in ``data`` of what is added to it.

    Each sum is two numbers, of which the second is what rounding took from the first: see `upwards`.
    """
    words = memoryview(data)[: len(data) & ~7].cast("d")
    for series, place in zip(pairs[::2], pairs[1::2], strict=True):
        before, amount = sums[2 * series], words[place // 8]
        sums[2 * series] = together = before + amount
        added = together - before
        lost = (before - (together - added)) + (amount - added)  # Knuth, TAOCP 4.2.2, theorem B
        if isfinite(lost):
            sums[2 * series + 1] += lost


def upwards(sum: float, lost: float) -> float:
    """One number that is not below a sum and what rounding took from it; ``sum + lost`` is the nearest one."""
    rounded = sum + lost
    return rounded if lost <= rounded - sum else nextafter(rounded, inf)


def add_buckets_plainly(sums: bytearray, data: bytes, pairs: array[int], width: int) -> None:
    """The same for ``width`` counts of 64 bits, which no sum overflows: all at once, as one integer."""
    size = 8 * width
    all_bits = (1 << 8 * size) - 1  # damaged counts may add up to more
    for series, place in zip(pairs[::2], pairs[1::2], strict=True):
        first = series * size
        known = int.from_bytes(sums[first : first + size], "little")
        here = int.from_bytes(data[place : place + size], "little")
        sums[first : first + size] = ((known + here) & all_bits).to_bytes(size, "little")


_compiled: Any = hot.extension("_hot_lanes")
add_words, add_buckets = add_words_plainly, add_buckets_plainly
if _compiled is not None:
    quantiles, cumulative, sum_blocks = _compiled.quantiles, _compiled.cumulative, _compiled.sum_blocks
    add_words, add_buckets = _compiled.add_words, _compiled.add_buckets


class BlockSums:
    """Sums of blocks, by slot. Kept in runs of slots that stay in a processor's cache."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._runs = [0] * -(-slots // _RUN)
        self._additions = 0
        self._spelled: list[int] = []

    def add(self, data: bytes, places: Places) -> None:
        """Add a segment's blocks."""
        for run in range(len(self._runs)):
            first = run * _RUN
            here = places[first : first + _RUN]
            blocks = [_EMPTY if place == NOWHERE else data[place : place + BLOCK_BYTES] for place in here]
            together = int.from_bytes(b"".join(blocks), "little")
            if together & _HIGH_BITS_OF_RUN:
                together = int.from_bytes(b"".join(self._low_blocks(first, blocks)), "little")
            self._runs[run] += together
        self._additions += 1
        if self._additions == _MOST_ADDITIONS:
            self._spell_out()

    def _low_blocks(self, first: int, blocks: Iterable[bytes]) -> Iterable[bytes]:
        for slot, block in enumerate(blocks, first):
            if int.from_bytes(block, "little") & _HIGH_BITS:
                self.add_block(slot, block)
                yield _EMPTY
            else:
                yield block

    def add_block(self, slot: int, block: bytes) -> None:
        """Add one block more, in either width, count by count."""
        if not self._spelled:
            self._spelled = [0] * (self._slots * CELLS_PER_BLOCK)
        first = slot * CELLS_PER_BLOCK
        for lane, count in enumerate(memoryview(block).cast("Q" if len(block) == WIDE_BYTES else "I"), first):
            self._spelled[lane] += count

    def packed(self) -> bytes | None:
        """All counts in 32 bits each; None where one has 32 bits itself."""
        if self._spelled or any(run & _HIGHEST_BITS_OF_RUN for run in self._runs):
            return None
        return b"".join(run.to_bytes(_RUN * BLOCK_BYTES, "little") for run in self._runs)

    def counts(self) -> list[int]:
        """All counts: those of slot ``s`` are the 64 from ``64 * s`` on."""
        together = b"".join(run.to_bytes(_RUN * BLOCK_BYTES, "little") for run in self._runs)
        counts = memoryview(together)[: self._slots * BLOCK_BYTES].cast("I").tolist()
        return list(map(add, counts, self._spelled)) if self._spelled else counts

    def _spell_out(self) -> None:
        self._spelled = self.counts()
        self._runs = [0] * len(self._runs)
        self._additions = 0


class LateCounts:
    """The block counts of one merge, added up when somebody asks for the first time. Any thread.

    A scrape needs the explicit buckets only, which are counted on their own; quantiles, windows and
    totals need these.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._expected: list[tuple[bytes, array[int]]] = []
        self._further: list[tuple[int, bytes, slice]] = []
        self._packed: bytes | None = None
        self._counts: Sequence[int] | None = None
        self._lock = Lock()

    def expect(self, data: bytes, places: array[int], further: Sequence[tuple[int, slice]]) -> None:
        """Say what will have to be added: blocks at their `Places`, and further ones, which come with their slot.

        None of it may be changed afterwards.
        """
        self._expected.append((data, places))
        self._further += [(slot, data, place) for slot, place in further]

    def get(self) -> Sequence[int]:
        """All counts: those of slot ``s`` are the 64 from ``64 * s`` on. The first call takes milliseconds."""
        with self._lock:
            if self._counts is None:
                self._add_up()
                self._expected.clear()
                self._further.clear()
            assert self._counts is not None
            return self._counts

    def packed(self) -> bytes | None:
        """The same in 32 bits for each, none of which has the highest one set; None where there is a larger count."""
        self.get()
        return self._packed

    def _add_up(self) -> None:
        self._packed = None if self._further else sum_blocks(self._expected, self._slots)
        if self._packed is None:
            sums = self._sums()
            self._packed = sums.packed()
            self._counts = sums.counts() if self._packed is None else None
        if self._packed is not None:
            self._counts = memoryview(self._packed).cast("I")

    def _sums(self) -> BlockSums:
        sums = BlockSums(self._slots)
        for data, places in self._expected:
            sums.add(data, [*places, *[NOWHERE] * (self._slots - len(places))])
            let_others_run()
        for slot, data, place in self._further:
            sums.add_block(slot, data[place])
        return sums
