"""One snapshot of a service: every worker's segment, the totals of the dead, and what this process keeps privately."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from stethoscope import names
from stethoscope.names import Metric
from stethoscope.store.folder import SUFFIX, Folder, writer_holds
from stethoscope.store.layout import Role
from stethoscope.store.merge import Merger, Part, worker_ids, worker_rank
from stethoscope.store.reader import Contents, Damaged, SegmentReader
from stethoscope.store.snapshot import Family, Series, Snapshot
from stethoscope.store.totals import TOTALS, fold, read_totals, totals_identity
from stethoscope.store.turns import let_others_run

logger = logging.getLogger("stethoscope")

_OTHER_VERSION: Final = re.compile(r"[0-9a-f]+\.v[0-9]+\.segment")
_ATTEMPTS: Final = 10
"""How often a reading starts over because a fold happened meanwhile. Folds are as rare as deaths."""


@dataclass(slots=True)
class _Reading:
    """What was found in the folder."""

    totals: Sequence[Part] = ()
    parts: list[Part] = field(default_factory=list)
    identities: set[bytes] = field(default_factory=set)
    """Segments whose counts are in the totals or the parts."""
    skipped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By reason: the first file that was skipped for it, and all that is known of why."""
    size: int = 0


class _Source:
    """A segment, as read again and again. Its file is open only while its writer lives: of the dead there may be thousands."""

    def __init__(self, descriptor: int) -> None:
        self._reader = SegmentReader(descriptor)
        self._last: Part | None = None
        self.size = 0
        """Bytes on the disk, when it was read the last time."""
        self.open = True

    def read(self) -> Part:
        """Once the writer has ended, always the same. Raises `Damaged`; OSError when the file cannot be read."""
        if self._last is None:
            descriptor = self._reader.descriptor
            alive = writer_holds(descriptor)  # before it is read: what the dead have written is complete
            try:
                part = Part(self._reader.read(), alive)
                self.size = os.fstat(descriptor).st_blocks * 512
            finally:
                if not alive:
                    self.close()
            if alive:
                return part
            self._last = part
        return self._last

    @property
    def damaged(self) -> bool:
        return self._reader.damaged

    @property
    def lost(self) -> bool:
        """Whether its writer has ended and it could not be read: only a new one can try again."""
        return self._last is None and not self.open

    def close(self) -> None:
        """Any number of times."""
        if self.open:
            self.open = False
            self._reader.close()


class Gatherer:
    """Takes snapshots of one service. Safe in any thread; one snapshot at a time."""

    def __init__(self, service: str, folder: Folder | None, private: Callable[[], Sequence[Part]], cap: int) -> None:
        self.service = service
        self._folder = folder
        self._private = private
        self._cap = cap
        self._lock = threading.Lock()
        self._sources: dict[str, _Source] = {}
        self._merger = Merger()
        self._totals: Contents | None = None
        self._warned: set[str] = set()

    def gather(self) -> Snapshot:
        """A merged view of all workers, dead and alive; then folds the dead. Raises nothing for bad files: they are counted."""
        with self._lock:
            private = self._private()
            reading = self._read_between_folds(self._folder) if self._folder else _Reading()
            # What this process was about to publish may have been published since.
            private = [part for part in private if part.contents.identity not in reading.identities]
            parts = [*reading.totals, *reading.parts, *private]
            families, conflicts = self._merger.merge(parts, let_others_run)
            if conflicts:
                reading.skipped["conflict"] += conflicts
            if self._folder and not all(part.alive for part in reading.parts):
                living = [part.contents for part in parts if part.alive]
                with suppress(OSError):
                    fold(self._folder, self._cap, living)
            created = self._merger.created()
            news = self._news(reading)
        self._tell(news)
        ids = worker_ids(parts)
        found = (ids[part.contents.identity] for part in parts if part.alive and part.contents.role is Role.WORKER)
        workers = tuple(sorted(found, key=worker_rank))
        is_private = any(part.alive for part in private)
        families = families.with_more(_own_families(len(workers), reading.size, reading.skipped, is_private))
        return Snapshot(self.service, time.time(), families, workers, created=created)

    def _read_between_folds(self, folder: Folder) -> _Reading:
        for _ in range(_ATTEMPTS):
            before = totals_identity(folder)
            reading = self._read(folder)
            if totals_identity(folder) == before:
                break
        return reading

    def _read(self, folder: Folder) -> _Reading:
        reading = _Reading()
        try:
            self._totals = read_totals(folder)
        except Damaged as error:
            self._totals = None
            self._skip(reading, TOTALS, error)
        except OSError as error:  # out of descriptors, say: without the totals all counters would go back
            self._skip(reading, TOTALS, error)
        if self._totals:
            reading.totals = [Part(self._totals, alive=False)]
            reading.identities |= self._totals.index.folded
            reading.size = len(self._totals.data)
            if self._totals.index.damaged:
                self._skip(reading, TOTALS, Damaged("damaged"))
        for name in self._present(folder, reading):
            self._read_segment(folder, name, reading)
        return reading

    def _read_segment(self, folder: Folder, name: str, reading: _Reading) -> None:
        try:
            source = self._sources.get(name)
            if source is None:
                source = self._sources[name] = _Source(folder.open(name))
            part = source.read()
            reading.size += source.size
            if part.contents.identity not in reading.identities:
                reading.identities.add(part.contents.identity)
                reading.parts.append(part)
            if source.damaged:
                raise Damaged("damaged")
        except FileNotFoundError:
            return
        except (Damaged, OSError) as error:
            self._skip(reading, name, error)
            if name in self._sources and self._sources[name].lost:
                del self._sources[name]

    def _present(self, folder: Folder, reading: _Reading) -> Iterable[str]:
        """Names of the segments that are there now; forgets those that are gone."""
        names = self._names(folder, reading)
        present = {name for name in names if name.endswith(SUFFIX)}
        for name in names:
            if _OTHER_VERSION.fullmatch(name) and name not in present:
                self._skip(reading, name, Damaged("version"))
        gone = self._sources.keys() - present
        for name in gone:
            self._sources.pop(name).close()
        if gone:
            self._merger = Merger()  # its tables would otherwise keep every series of every dead worker
        return sorted(present)

    def _names(self, folder: Folder, reading: _Reading) -> Sequence[str]:
        """What is in the folder. Where it cannot be listed (that needs a descriptor), what is still there of what was there the last time."""
        try:
            return folder.names()
        except OSError as error:
            self._skip(reading, "the list of files", error)
            return [name for name in self._sources if folder.has(name)]

    def _skip(self, reading: _Reading, name: str, error: Exception) -> None:
        reason = str(error) if isinstance(error, Damaged) else "unreadable"
        reading.skipped[reason] += 1
        reading.examples.setdefault(reason, (name, reason if isinstance(error, Damaged) else f"{reason}: {error}"))

    def _news(self, reading: _Reading) -> list[tuple[str, str]]:
        """Files that were skipped for reasons that nobody was told of yet."""
        news = [example for reason, example in reading.examples.items() if reason not in self._warned]
        self._warned.update(reading.examples)
        return news

    def _tell(self, news: Iterable[tuple[str, str]]) -> None:
        """Not under the lock: a log handler may ask for a snapshot."""
        for name, why in news:
            logger.warning(
                "%s in the store of %r cannot be read and is left out (%s); the rest is served, further ones are only counted",
                name,
                self.service,
                why,
            )

    def close(self) -> None:
        """Let go of all files. Ending does so too: in a forked child, or after a move to another folder."""
        while self._sources:
            self._sources.popitem()[1].close()

    __del__ = close


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
