"""One service as a process reads it: snapshots, windows and notes of all its workers.

A recorder has one, for the service that it records into; `stethoscope.store.watched` has one from beside. The code that reads
is imported when somebody reads: it is as large as all the code that records.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from stethoscope.names import NOTE_KINDS, NoteKind
from stethoscope.store.folder import Folder
from stethoscope.store.forking import no_fork
from stethoscope.store.lock import ReentrantLock

if TYPE_CHECKING:
    from stethoscope.store.brief import BriefNotes
    from stethoscope.store.gather import Gatherer
    from stethoscope.store.history import History
    from stethoscope.store.merge import Part
    from stethoscope.store.notes import Note
    from stethoscope.store.snapshot import Snapshot


class Unpublished(Protocol):
    """What this process has recorded and no file shows."""

    def unpublished_parts(self) -> Sequence[Part]: ...

    def unpublished_notes(self, kind: NoteKind) -> list[Note]: ...


class Nothing:
    """For a process that does not record."""

    def unpublished_parts(self) -> Sequence[Part]:
        return ()

    def unpublished_notes(self, kind: NoteKind) -> list[Note]:
        return []


class View:
    """Safe in any thread, but not across a fork: a child makes its own. ``folder`` is None if all is in private memory."""

    def __init__(self, service: str, folder: Folder | None, series_cap: int, own: Unpublished | None = None) -> None:
        self.service = service
        self.folder = folder
        self._cap = series_cap
        self._own = own or Nothing()
        self._guard = ReentrantLock()
        self._gatherer: Gatherer | None = None
        self._history: History | None = None
        self._briefs: dict[NoteKind, BriefNotes] = {}

    def snapshot(self) -> Snapshot:
        """A merged view of all workers. Takes milliseconds."""
        return self._gathering().gather()

    def _gathering(self) -> Gatherer:
        with no_fork:
            from stethoscope.store.gather import Gatherer

        with self._guard:
            if self._gatherer is None:
                self._gatherer = Gatherer(self.service, self.folder, self._own.unpublished_parts, self._cap)
            return self._gatherer

    def window(self, seconds: float) -> Snapshot:
        """What all workers have recorded in the last ``seconds`` (60 to 900); its ``seconds`` say how long it really is."""
        present, history = self.snapshot(), self.history()
        return history.window(present, seconds) if history else present

    def history(self) -> History | None:
        """What was put aside of all workers; None in private memory."""
        with no_fork:
            from stethoscope.store.history import History

        if self._history is None and self.folder is not None:
            self._history = History(self.folder)
        return self._history

    def notes(self, kind: NoteKind) -> list[Note]:
        """Notes of all workers, newest first; of each key the newest. Takes milliseconds."""
        from stethoscope.store.notes import newest, read_notes

        written = read_notes(self.folder, kind) if self.folder else ()
        return newest([*written, *self._own.unpublished_notes(kind)])

    def brief_notes(self, kind: NoteKind) -> list[Note]:
        """The same without what is long in them: lists and objects (`stethoscope.store.brief`). Faster from the second time on."""
        from stethoscope.store.notes import newest

        brief, own = self._brief(kind), self._own.unpublished_notes(kind)
        found = brief.all() if brief else []
        return newest([*found, *own]) if own else found

    def whole_note(self, kind: NoteKind, key: str) -> Note | None:
        """One of the notes that `brief_notes` has listed, with all of its content; None where it is there no more."""
        brief = self._brief(kind)
        own = (note for note in self._own.unpublished_notes(kind) if note.key == key)
        return next(own, None) or (brief.whole(key) if brief else None)

    def _brief(self, kind: NoteKind) -> BriefNotes | None:
        from stethoscope.store.brief import BriefNotes

        if self.folder is None:
            return None
        return self._briefs.get(kind) or self._briefs.setdefault(kind, BriefNotes(self.folder, kind))

    # Keeping house

    def fold_notes(self) -> None:
        """Move notes of ended workers together. Raises OSError."""
        with no_fork:
            from stethoscope.store.notes import fold_notes

        if self.folder is not None:
            fold_notes(self.folder, NOTE_KINDS)

    def put_aside(self, present: Snapshot | None = None) -> None:
        """Put a snapshot aside for windows to come, if one is due: ``present``, where it was just taken. Raises OSError."""
        history = self.history()
        if history is not None and history.due():
            history.put_aside(present or self.snapshot())

    def rest(self) -> None:
        """Let go of what is kept for the next question, if nobody has asked since the last time."""
        if history := self.history():
            history.rest()
        for brief in list(self._briefs.values()):
            brief.rest()
