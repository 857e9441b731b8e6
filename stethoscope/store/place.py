"""Where one process records into one service: its segment and notes, and what is in them already."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from stethoscope import names
from stethoscope.names import Metric, NoteKind
from stethoscope.store import layout
from stethoscope.store.folder import Claim, Folder
from stethoscope.store.segment import Segment, private_segment
from stethoscope.store.series import HistogramSeries, Scalar, make_scalar

if TYPE_CHECKING:
    from stethoscope.store.brief import BriefNotes
    from stethoscope.store.gather import Gatherer
    from stethoscope.store.history import History
    from stethoscope.store.lease import Lease
    from stethoscope.store.notes import Notebook


class Place:
    """Not safe in several threads: the recorder has a lock."""

    def __init__(self, folder: Folder | None, claim: Claim | None, earlier: Place | None) -> None:
        """A place that follows an earlier one begins with all that is there, and everything where it was."""
        self.folder = folder
        self.claim = claim
        self.gatherer: Gatherer | None = None
        self.leases: dict[str, Lease] = {}
        self.history: History | None = None
        self.brief: dict[NoteKind, BriefNotes] = {}
        self.segment: Segment = (
            claim.segment if claim else private_segment(successor_of=earlier.segment if earlier else None)
        )
        self._notebooks: dict[NoteKind, Notebook] = {}
        self._metrics: dict[str, int] = earlier._metrics if earlier else {}
        self._series: dict[int, int] = earlier._series if earlier else {}
        self.dropped: Scalar = earlier.dropped if earlier else make_scalar(lambda series: False)
        if earlier is None:
            self.attach(self.dropped, names.DROPPED_OBSERVATIONS, (), False, None)

    @property
    def published(self) -> bool:
        return self.claim is not None and self.claim.published

    def attach(
        self,
        series: Scalar | HistogramSeries,
        metric: Metric,
        labels: tuple[str, ...],
        overflow: bool,
        block: int | None,
    ) -> None:
        """Raises OSError when the segment can not grow. What is attached by then stays right."""
        if not series.word:
            word = self.segment.append_series(
                self._metric(metric), layout.labels_to_bytes(labels), time.time(), overflow
            )
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

    def take_notes(self, earlier: Place) -> None:
        """Go on with the notes of an earlier place."""
        for kind, notebook in earlier._notebooks.items():
            for note in notebook.all():
                with suppress(OSError):
                    self.notebook(kind).write(note.key, note.content, note.written_at)

    def leave(self) -> None:
        """End the claim and delete the files, and leave all duties to others: numbers and notes go on elsewhere."""
        for lease in self.leases.values():
            lease.release()
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
