"""What is short in notes, read again and again: only what is new is decoded.

A busy service keeps thousands of requests as notes, and who shows a list of them wants the few words and numbers of each,
not its timeline, statements and traceback. So those are remembered, and of a note that is as it was no more than its 16
bytes of checksum, length and time are read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from threading import Lock
from typing import NamedTuple

from stethoscope.names import NoteKind
from stethoscope.store.folder import Folder
from stethoscope.store.notes import HEAD_BYTES, Note, body_bytes, decode, names_of, newest, slots


class _Place(NamedTuple):
    """Where a note is: its file, where in it, and how many bytes it has."""

    name: str
    start: int
    size: int


class BriefNotes:
    """The notes of one kind of a service. Safe in any thread."""

    def __init__(self, folder: Folder, kind: NoteKind) -> None:
        self._folder = folder
        self._kind = kind
        self._lock = Lock()
        self._known: dict[str, dict[int, tuple[bytes, Note]]] = {}
        """By file and place in it: the head of the slot, and what is short in its note."""
        self._read = False

    def all(self) -> list[Note]:
        """Newest first, of each key the newest; content that is a list or an object is left out. Takes milliseconds."""
        with self._lock:
            self._read = True
            self._known = {name: self._of_file(name) for name in names_of(self._folder, self._kind.name)}
            return newest(note for of_file in self._known.values() for _, note in of_file.values())

    def whole(self, key: str) -> Note | None:
        """The note of this key with all of its content; None where it is there no more."""
        with self._lock:
            places = [
                _Place(name, start, body_bytes(head))
                for name, of_file in self._known.items()
                for start, (head, note) in of_file.items()
                if note.key == key
            ]
        found = [note for note in map(self._at, places) if note is not None and note.key == key]
        return newest(found)[0] if found else None

    def rest(self) -> None:
        """Let go of what nobody has asked for since the last time."""
        with self._lock:
            if not self._read:
                self._known.clear()
            self._read = False

    def _of_file(self, name: str) -> dict[int, tuple[bytes, Note]]:
        with suppress(OSError):
            descriptor = self._folder.open(name)
            try:
                return dict(self._changed(descriptor, self._known.get(name, {})))
            finally:
                os.close(descriptor)
        return {}

    def _changed(
        self, descriptor: int, known: dict[int, tuple[bytes, Note]]
    ) -> Iterator[tuple[int, tuple[bytes, Note]]]:
        for start in slots(descriptor):
            head = os.pread(descriptor, HEAD_BYTES, start)
            before = known.get(start)
            if before is not None and before[0] == head:
                yield start, before
            elif note := _decoded(descriptor, start, body_bytes(head)):
                yield start, (head, _brief(note))

    def _at(self, place: _Place) -> Note | None:
        with suppress(OSError):
            descriptor = self._folder.open(place.name)
            try:
                return _decoded(descriptor, place.start, self._kind.most_bytes)
            finally:
                os.close(descriptor)
        return None


def _decoded(descriptor: int, start: int, size: int) -> Note | None:
    # A slot may just be written anew; by the second look that is over.
    return decode(os.pread(descriptor, size, start)) or decode(os.pread(descriptor, size, start))


def _brief(note: Note) -> Note:
    return note._replace(
        content={name: value for name, value in note.content.items() if not isinstance(value, list | dict)}
    )
