"""One snapshot of a service: every worker's segment, the totals of the dead, and what this process keeps privately."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from stethoscope import names
from stethoscope.names import Metric
from stethoscope.store.folder import SUFFIX, Folder, is_alive
from stethoscope.store.merge import Merger, Part
from stethoscope.store.reader import Contents, Damaged, SegmentReader
from stethoscope.store.snapshot import Family, Series, Snapshot
from stethoscope.store.totals import fold, read_totals, totals_identity

_ATTEMPTS: Final = 10
"""How often a reading starts over because a fold happened meanwhile. Folds are as rare as deaths."""


def let_others_run() -> None:
    """Give up the interpreter lock for an instant, so that an event loop in another thread never waits long for it."""
    time.sleep(0)


class Gatherer:
    """Takes snapshots of one service. Safe in any thread; one snapshot at a time."""

    def __init__(
        self, service: str, folder: Folder | None, private: Callable[[], Sequence[Contents]], cap: int
    ) -> None:
        self.service = service
        self._folder = folder
        self._private = private
        self._cap = cap
        self._lock = threading.Lock()
        self._readers: dict[str, SegmentReader] = {}
        self._merger = Merger()
        self._totals: Contents | None = None

    def gather(self) -> Snapshot:
        """A merged view of all workers, dead and alive; then folds the dead. Raises nothing for bad files: they are counted."""
        with self._lock:
            private = [Part(contents, alive=True) for contents in self._private()]
            parts, skipped, size = self._parts(self._folder) if self._folder else ([], Counter[str](), 0)
            families, conflicts = self._merger.merge([*parts, *private], let_others_run)
            if conflicts:
                skipped["conflict"] += conflicts
            if self._folder and not all(part.alive for part in parts if part.contents.index is not self._totals_index):
                with suppress(OSError):
                    fold(self._folder, self._cap)
        workers = tuple(sorted(part.contents.pid for part in [*parts, *private] if part.alive))
        families.update(_own_families(len(workers), size, skipped, bool(private)))
        return Snapshot(self.service, time.time(), dict(sorted(families.items())), workers)

    _totals_index: object = None

    def _parts(self, folder: Folder) -> tuple[list[Part], Counter[str], int]:
        for _ in range(_ATTEMPTS):
            before = totals_identity(folder)
            reading = self._read(folder)
            if totals_identity(folder) == before:
                break
        return reading

    def _read(self, folder: Folder) -> tuple[list[Part], Counter[str], int]:
        skipped: Counter[str] = Counter()
        parts = []
        folded: set[bytes] = set()
        size = 0
        self._totals_index = None
        try:
            totals = self._totals = read_totals(folder)
        except Damaged as error:
            totals = self._totals = None
            skipped[_reason(error)] += 1
        except OSError as error:  # out of descriptors, say: without the totals all counters would go back
            totals = self._totals
            skipped[_reason(error)] += 1
        if totals:
            parts.append(Part(totals, alive=False))
            folded = totals.index.folded
            size += len(totals.data)
            self._totals_index = totals.index
        for reader in self._present(folder, skipped):
            try:
                contents = reader.read()
                alive = is_alive(reader.descriptor)
                size += os.fstat(reader.descriptor).st_blocks * 512
            except (Damaged, OSError) as error:
                skipped[_reason(error)] += 1
                continue
            if reader.damaged:
                skipped["damaged"] += 1
            if contents.identity not in folded:
                parts.append(Part(contents, alive))
        return parts, skipped, size

    def _present(self, folder: Folder, skipped: Counter[str]) -> Iterable[SegmentReader]:
        """Readers of the segments that are there now; forgets those that are gone."""
        present = {name for name in folder.names() if name.endswith(SUFFIX)}
        gone = self._readers.keys() - present
        for name in gone:
            self._readers.pop(name).close()
        if gone:
            self._merger = Merger()  # its tables would otherwise keep every series of every dead worker
        for name in sorted(present - self._readers.keys()):
            try:
                self._readers[name] = SegmentReader(folder.open(name))
            except FileNotFoundError:
                continue
            except OSError as error:
                skipped[_reason(error)] += 1
        return list(self._readers.values())

    def close(self) -> None:
        with self._lock:
            for reader in self._readers.values():
                reader.close()
            self._readers.clear()


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, Damaged) else "unreadable"


def _own_families(workers: int, size: int, skipped: Counter[str], private: bool) -> dict[str, Family]:
    """What only a reader knows."""
    reasons = skipped or Counter({"damaged": 0})
    values: dict[Metric, dict[tuple[str, ...], float]] = {
        names.WORKERS: {(): workers},
        names.STORE_SIZE: {(): size},
        names.PRIVATE_STORE: {(): float(private)},
        names.SKIPPED_SEGMENTS: {(reason,): count for reason, count in sorted(reasons.items())},
    }
    return {
        metric.name: Family(metric, tuple(Series(labels, float(value), 0.0) for labels, value in series.items()))
        for metric, series in values.items()
    }
