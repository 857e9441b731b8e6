"""Blocks of 32-bit counts, added up as wide integers.

A segment's blocks are put in the order of the sum, one after the other, and become one integer of
32 bits for each count. Adding two such integers adds all their counts at once, exactly, while no
count overflows into its neighbour. Blocks where one might (a count of 2**24 or more) are taken out
and added count by count, and after 200 additions the sum is spelled out before it goes on.

Most of the time of adding up goes into joining and converting the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import add
from threading import Lock
from time import sleep
from typing import Final

from stethoscope.store.buckets import CELLS_PER_BLOCK
from stethoscope.store.layout import BLOCK_BYTES, WIDE_BYTES

_RUN: Final = 128
"""Slots that are added as one integer, of 32 kB."""

_HIGH_BYTES: Final = b"\x00\x00\x00\xff" * CELLS_PER_BLOCK
_HIGH_BITS: Final = int.from_bytes(_HIGH_BYTES, "little")
_HIGH_BITS_OF_RUN: Final = int.from_bytes(_HIGH_BYTES * _RUN, "little")
_HIGHEST_BITS_OF_RUN: Final = int.from_bytes(b"\x00\x00\x00\x80" * CELLS_PER_BLOCK * _RUN, "little")
_EMPTY: Final = bytes(BLOCK_BYTES)
_MOST_ADDITIONS: Final = 200


class BlockSums:
    """Sums of blocks, by slot. Kept in runs of slots that stay in a processor's cache."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._runs = [0] * -(-slots // _RUN)
        self._additions = 0
        self._spelled: list[int] = []

    def add(self, data: bytes, places: Sequence[slice | None]) -> None:
        """Add a segment's blocks: ``places[slot]`` is where in ``data`` the block for a slot is, None where it has none."""
        for run in range(len(self._runs)):
            first = run * _RUN
            blocks = [_EMPTY if place is None else data[place] for place in places[first : first + _RUN]]
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
        self._expected: list[tuple[bytes, Sequence[slice | None], Sequence[tuple[int, slice]]]] = []
        self._packed: bytes | None = None
        self._counts: Sequence[int] | None = None
        self._lock = Lock()

    def expect(self, data: bytes, places: Sequence[slice | None], further: Sequence[tuple[int, slice]]) -> None:
        """Say what will have to be added. Places are as in `BlockSums.add`; further blocks come with their slot.

        None of it may be changed afterwards.
        """
        self._expected.append((data, places, further))

    def get(self) -> Sequence[int]:
        """All counts: those of slot ``s`` are the 64 from ``64 * s`` on. The first call takes milliseconds."""
        with self._lock:
            if self._counts is None:
                sums = self._sums()
                self._packed = sums.packed()
                self._counts = sums.counts() if self._packed is None else memoryview(self._packed).cast("I")
            return self._counts

    def packed(self) -> bytes | None:
        """The same in 32 bits for each, none of which has the highest one set; None where there is a larger count."""
        self.get()
        return self._packed

    def _sums(self) -> BlockSums:
        sums = BlockSums(self._slots)
        for data, places, further in self._expected:
            sums.add(data, [*places, *[None] * (self._slots - len(places))])
            for slot, place in further:
                sums.add_block(slot, data[place])
            sleep(0)  # lets other threads run
        self._expected.clear()
        return sums
