"""A service as seen by a process that is not one of its workers."""

from __future__ import annotations

import threading
from collections.abc import Callable

from stethoscope.names import Metric, NoteKind
from stethoscope.store.deputy import Deputy
from stethoscope.store.folder import SUFFIX, Folder, segment_is_written
from stethoscope.store.history import History
from stethoscope.store.lease import HOUSEKEEPING, Duties, is_known
from stethoscope.store.notes import Note
from stethoscope.store.recorder import SERIES_CAP
from stethoscope.store.snapshot import Snapshot
from stethoscope.store.view import View

OnFailure = Callable[[str, BaseException], None]
"""Is told where a failure happened, and what was raised. Never raises."""

Count = Callable[[Metric, tuple[str, ...], float], None]
"""What adds to a counter of whoever watches: metric, label values, and how much. Never raises."""


def uncounted(metric: Metric, labels: tuple[str, ...], amount: float) -> None:
    """For watchers without counters."""


class Watched:
    """Reads one service, and relieves its workers of their duties. Safe in any thread.

    It is the `stethoscope.exporters.exporter.Source` of the exporters in a sidecar.
    """

    def __init__(
        self,
        service: str,
        folder: Folder,
        on_failure: OnFailure,
        count: Count = uncounted,
        series_cap: int = SERIES_CAP,
    ) -> None:
        self.service = service
        self.folder = folder
        self.failed = on_failure
        self.count = count
        self._view = View(service, folder, series_cap)
        self._duties = Duties(folder, relieves=True)
        self._deputy: Deputy | None = None
        self._left = False
        self._guard = threading.Lock()

    def snapshot(self) -> Snapshot:
        """A merged view of all workers. Takes milliseconds."""
        return self._view.snapshot()

    def window(self, seconds: float) -> Snapshot:
        """What all workers have recorded in the last ``seconds`` (60 to 900); its ``seconds`` say how long it really is."""
        return self._view.window(seconds)

    def history(self) -> History:
        """What was put aside of all workers."""
        found = self._view.history()
        assert found is not None  # there is one of every folder
        return found

    def notes(self, kind: NoteKind) -> list[Note]:
        """Notes of all workers, newest first; of each key the newest. Takes milliseconds."""
        return self._view.notes(kind)

    def brief_notes(self, kind: NoteKind) -> list[Note]:
        """The same without what is long in them: lists and objects (`stethoscope.store.brief`)."""
        return self._view.brief_notes(kind)

    def whole_note(self, kind: NoteKind, key: str) -> Note | None:
        """One of the notes that `brief_notes` has listed, with all of its content; None where it is there no more."""
        return self._view.whole_note(kind, key)

    def leads(self, duty: str) -> bool:
        """Whether ``duty`` is ours now. A worker that has it gives way when it next asks; until then the answer is no."""
        return self._duties.leads(duty)

    def release(self, duty: str) -> None:
        """Give ``duty`` back to the workers."""
        self._duties.release(duty)

    def keep_house(self) -> None:
        """Fold the dead, and put a snapshot aside when one is due; in our own user's folders only. Raises OSError.

        Does nothing if no worker has lived since the last time: a folder that nobody uses must look unused, to be
        removed.
        """
        if not self.folder.writable or not self._others():
            return
        if self._deputy is not None:
            self._deputy.keep_house()
        if self.leads(HOUSEKEEPING):
            snapshot = self._view.snapshot()  # folds the dead
            self._view.fold_notes()
            self._view.put_aside(snapshot)
            self._view.rest()

    # In place of the workers

    def deputy(self) -> Deputy | None:
        """A recorder in place of the workers, while any of them lives; None if none does, or this process may not write.

        Ask for it before each use. Without workers it ends, so that a folder that nobody uses looks unused.
        """
        with self._guard:
            if (
                self._left
                or not self.folder.writable
                or not any(segment_is_written(self.folder, name) for name in self._others())
            ):
                self._dismiss()
            elif self._deputy is None:
                self._deputy = Deputy(self.service, self.folder)
            return self._deputy

    def knows(self, duty: str) -> bool:
        """Whether any worker has ever asked for ``duty``: what no worker wants done, we leave too."""
        return is_known(self.folder, duty)

    def _others(self) -> list[str]:
        """The segments of workers, dead and alive."""
        own = self._deputy.segment_name if self._deputy else ""
        return [name for name in self.folder.names() if name.endswith(SUFFIX) and name != own]

    def _dismiss(self) -> None:
        deputy, self._deputy = self._deputy, None
        if deputy is not None:
            deputy.end()

    def leave(self) -> None:
        """End what records here, and give all duties back to the workers. Any number of times."""
        with self._guard:
            self._left = True
            self._dismiss()
        self._duties.release_all()
