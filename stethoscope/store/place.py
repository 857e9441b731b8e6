"""Where one process records into one service: its segment, its notes, and the duties that it has there."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from stethoscope import names
from stethoscope.names import Metric, NoteKind
from stethoscope.store import layout
from stethoscope.store.catalogue import AnySeries, Entry
from stethoscope.store.folder import NO_ROOM, Claim, Folder
from stethoscope.store.layout import Role
from stethoscope.store.lease import Duties
from stethoscope.store.leftovers import fold_leftovers
from stethoscope.store.reporting import ReportingLock
from stethoscope.store.segment import Segment, private_segment
from stethoscope.store.series import HistogramSeries, Scalar, make_scalar

if TYPE_CHECKING:
    from stethoscope.store.merge import Part
    from stethoscope.store.notes import Note, Notebook


class Place:
    """One process's part of a service. Not safe in several threads: the recorder has a lock."""

    def __init__(self, folder: Folder | None, claim: Claim | None, earlier: Place | None) -> None:
        """A place that follows an ``earlier`` one begins as a copy of it. Without a ``claim`` it is in private memory."""
        self.folder = folder
        self.claim = claim
        self.duties = Duties(folder)
        self.segment: Segment = (
            claim.segment if claim else private_segment(successor_of=earlier.segment if earlier else None)
        )
        self._notebooks: dict[NoteKind, Notebook] = {}
        self._metrics: dict[str, int] = earlier._metrics if earlier else {}
        self._series: dict[int, int] = earlier._series if earlier else {}
        self.dropped: Scalar = earlier.dropped if earlier else make_scalar(lambda series: False)
        if earlier is None:
            self.attach(self.dropped, Entry(names.DROPPED_OBSERVATIONS, ()), None)

    @property
    def published(self) -> bool:
        return self.claim is not None and self.claim.published

    def attach(self, series: AnySeries, entry: Entry, block: int | None) -> None:
        """Raises OSError when the segment cannot grow. What is attached by then stays right."""
        if not series.word:
            labels = layout.labels_to_bytes(entry.labels)
            word = self.segment.append_series(self._metric(entry.metric), labels, time.time(), entry.overflow)
            self._series[id(series)] = self.segment.series_count - 1
            series.attach(self.segment, word)
        if block is not None and isinstance(series, HistogramSeries):
            series.blocks[block] = self.segment.append_block(self._series[id(series)], block)

    def _metric(self, metric: Metric) -> int:
        if metric.name not in self._metrics:
            self._metrics[metric.name] = self.segment.append_metric(metric)
        return self._metrics[metric.name]

    def notebook(self, kind: NoteKind) -> Notebook:
        from stethoscope.store.notes import Notebook  # not for those who write none

        return self._notebooks.get(kind) or self._notebooks.setdefault(kind, Notebook(kind, self.folder))

    def unpublished_parts(self) -> list[Part]:
        """What this process has recorded and no file shows."""
        from stethoscope.store.merge import Part
        from stethoscope.store.reader import read_image

        return [] if self.published else [Part(read_image(self.segment.image()), alive=True)]

    def unpublished_notes(self, kind: NoteKind) -> list[Note]:
        """Notes that no file shows."""
        return self.notebook(kind).in_memory()

    def take_notes(self, earlier: Place) -> None:
        """Go on with the notes of an earlier place."""
        for kind, notebook in earlier._notebooks.items():
            for note in notebook.all():
                with suppress(OSError):
                    self.notebook(kind).write(note.key, note.content, note.written_at)

    def leave(self) -> None:
        """End the claim and delete the files, and leave all duties to others: numbers and notes go on elsewhere."""
        self.duties.release_all()
        for notebook in self._notebooks.values():
            notebook.withdraw()
        if self.claim is not None:
            self.claim.withdraw()

    def release(self) -> None:
        """Let go of all files, by whose locks readers know that we live. In a forked child, where they would say that of the
        parent, and when nobody records here any more. Any number of times.
        """
        for notebook in self._notebooks.values():
            notebook.release()
        if self.claim is not None:
            self.claim.release()

    __del__ = release


def settle(folder: Folder | None, role: Role, earlier: Place | None, lock: ReportingLock, cap: int) -> Place:
    """A place in ``folder``; in private memory without one, and where no segment can be made, which is reported."""
    if folder is not None:
        try:
            claim = _claim(folder, role, earlier, cap)
            return Place(folder, claim, earlier)
        except OSError as error:
            lock.report_once(
                "private",
                "recording into private memory, unseen by other workers: no segment in %s: %s",
                folder.path,
                error,
            )
    return Place(folder, None, earlier)


def _claim(folder: Folder, role: Role, earlier: Place | None, cap: int) -> Claim:
    """Raises OSError."""
    followed = earlier.segment if earlier else None
    try:
        return folder.create_segment(followed, role)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        fold_leftovers(folder, cap, more_than=0)
        return folder.create_segment(followed, role)
