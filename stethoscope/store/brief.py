"""The short parts of notes, read again and again: only what is new is decoded.

A busy service keeps thousands of requests as notes. A list of them shows a few words and numbers of each, not its timeline,
statements and traceback. So the short parts are remembered, and of a note that has not changed only the 16 bytes of
checksum, length and time are read.
"""

from __future__ import annotations

import os
from contextlib import suppress
from threading import Lock
from typing import Any

from stethoscope import hot
from stethoscope.names import NoteKind
from stethoscope.store.folder import Folder
from stethoscope.store.notes import HEAD_BYTES, Note, body_bytes, decode, names_of, newest, slots


def heads_plainly(descriptor: int, first: int, stop: int, step: int, size: int) -> bytes:
    """The first ``size`` bytes of each slot, one after the other. Raises OSError."""
    return b"".join(os.pread(descriptor, size, start) for start in range(first, stop, step))


_compiled: Any = hot.extension("_hot_lanes")
heads = heads_plainly if _compiled is None else _compiled.heads


class _File:
    """What was read of one file: the heads of its slots, and the short parts of the note in each slot."""

    def __init__(self) -> None:
        self.notes: dict[int, Note] = {}
        self._heads = bytearray()

    def read(self, descriptor: int) -> bool:
        """Decode what is new; returns whether anything is."""
        places = slots(descriptor)
        found = heads(descriptor, places.start, places.stop, places.step, HEAD_BYTES)
        before, self._heads = self._heads, bytearray(found)
        if found == before:
            return False
        self.notes = {start: note for start, note in self.notes.items() if start < places.stop}
        for slot, start in zip(range(0, len(found), HEAD_BYTES), places, strict=False):
            head = found[slot : slot + HEAD_BYTES]
            if head != before[slot : slot + HEAD_BYTES] and not self._decode(descriptor, start, body_bytes(head)):
                self._heads[slot : slot + HEAD_BYTES] = bytes(HEAD_BYTES)  # to be looked at again the next time
        return True

    def _decode(self, descriptor: int, start: int, size: int) -> bool:
        note = _decoded(descriptor, start, size)
        if note is None:
            self.notes.pop(start, None)
            return False
        self.notes[start] = _brief(note)
        return True


class BriefNotes:
    """The notes of one kind of a service. Safe in any thread."""

    def __init__(self, folder: Folder, kind: NoteKind) -> None:
        self._folder = folder
        self._kind = kind
        self._lock = Lock()
        self._files: dict[str, _File] = {}
        self._all: list[Note] = []
        self._read = False

    def all(self) -> list[Note]:
        """Newest first, of each key the newest; content that is a list or an object is left out. Takes milliseconds."""
        with self._lock:
            self._read = True
            names = names_of(self._folder, self._kind.name)
            gone = [self._files.pop(name) for name in self._files.keys() - set(names)]
            changed = [name for name in names if self._has_changed(name)]
            if gone or changed:
                self._all = newest(note for file in self._files.values() for note in file.notes.values())
            return self._all

    def whole(self, key: str) -> Note | None:
        """The note of this key with all of its content; None where it is there no more."""
        with self._lock:
            places = [
                (name, start)
                for name, file in self._files.items()
                for start, note in file.notes.items()
                if note.key == key
            ]
        found = [note for note in (self._at(*place) for place in places) if note is not None and note.key == key]
        return newest(found)[0] if found else None

    def rest(self) -> None:
        """Let go of what nobody has asked for since the last time."""
        with self._lock:
            if not self._read:
                self._files.clear()
                self._all = []
            self._read = False

    def _has_changed(self, name: str) -> bool:
        try:
            descriptor = self._folder.open(name)
            try:
                return self._files.setdefault(name, _File()).read(descriptor)
            finally:
                os.close(descriptor)
        except OSError:
            return self._files.pop(name, None) is not None

    def _at(self, name: str, start: int) -> Note | None:
        with suppress(OSError):
            descriptor = self._folder.open(name)
            try:
                return _decoded(descriptor, start, self._kind.most_bytes)
            finally:
                os.close(descriptor)
        return None


def _decoded(descriptor: int, start: int, size: int) -> Note | None:
    # A slot may just be being written; by the second look that is over.
    return decode(os.pread(descriptor, size, start)) or decode(os.pread(descriptor, size, start))


def _brief(note: Note) -> Note:
    return note._replace(
        content={name: value for name, value in note.content.items() if not isinstance(value, list | dict)}
    )
