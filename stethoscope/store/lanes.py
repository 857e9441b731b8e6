"""Blocks of 32-bit counts, added up as wide integers.

Adding two blocks as integers of 2,048 bits adds all their 64 counts at once, exactly, while no count
overflows into its neighbour. That way is taken only where it can not happen: every count below 2**24,
and fewer than 255 blocks in a sum. All else is added count by count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stethoscope.store.buckets import CELLS_PER_BLOCK
from stethoscope.store.layout import BLOCK_BYTES, WIDE_BYTES
from stethoscope.store.reader import Contents

_HIGH_BITS: Final = int.from_bytes(b"\x00\x00\x00\xff" * CELLS_PER_BLOCK, "little")
_ANY_BIT: Final = (1 << BLOCK_BYTES * 8) - 1
_MOST_WIDE_ADDITIONS: Final = 200
_BETWEEN_PAUSES: Final = 1000

Block = int | list[int]
"""64 counts: as one integer with 32 bits for each, or spelled out where they may need more."""


def counts_of(block: int) -> list[int]:
    """The 64 counts of a block given as one integer."""
    return memoryview(block.to_bytes(BLOCK_BYTES, "little")).cast("I").tolist()


class BlockSums:
    """Sums of blocks by slot."""

    def __init__(self) -> None:
        self._wide: list[int] = []
        self._spelled: dict[int, list[int]] = {}
        self._segments = 0

    def extend(self, slots: int) -> None:
        self._wide.extend([0] * (slots - len(self._wide)))

    def __getitem__(self, slot: int) -> Block:
        spelled = self._spelled.get(slot)
        if spelled is None:
            return self._wide[slot]
        return [a + b for a, b in zip(spelled, counts_of(self._wide[slot]), strict=True)]

    def add(self, contents: Contents, slots: list[int], wide_slots: list[int], pause: Callable[[], None]) -> None:
        """Add all blocks of a segment, each to the slot at its place in ``slots``; -1 leaves it out."""
        self._segments += 1
        # A segment adds at most one block without high bits to a slot, so segments bound the additions.
        unsafe = _HIGH_BITS if self._segments < _MOST_WIDE_ADDITIONS else _ANY_BIT
        data, sums, from_bytes = contents.data, self._wide, int.from_bytes
        for start in range(0, len(slots), _BETWEEN_PAUSES):
            stop = start + _BETWEEN_PAUSES
            for slot, (_, _, offset) in zip(slots[start:stop], contents.index.blocks[start:stop], strict=True):
                block = from_bytes(data[offset : offset + BLOCK_BYTES], "little")
                if slot < 0 or block & unsafe:
                    self._add_spelled(slot, counts_of(block))
                else:
                    sums[slot] += block
            pause()
        for slot, (_, _, offset) in zip(wide_slots, contents.index.wide, strict=True):
            self._add_spelled(slot, memoryview(data[offset : offset + WIDE_BYTES]).cast("Q").tolist())

    def _add_spelled(self, slot: int, counts: list[int]) -> None:
        if slot >= 0:
            known = self._spelled.get(slot)
            self._spelled[slot] = counts if known is None else [a + b for a, b in zip(known, counts, strict=True)]
