"""Notes: texts that explain the numbers, kept by every worker, read from all of them, dead and alive.

A slow query has its counts in the metrics and its statement here; so do findings and the requests that can be
followed. A note is a small JSON object under a key. It is best effort where the metrics are exact: bounded in
number and size, and the newest note of a key holds, whichever worker wrote it.

One file a process and kind, written by that process alone:

    header (64 bytes)   8s magic, u32 bytes of a slot, 52x
    slot                u32 CRC-32 of what follows, u32 length of the text, f64 Unix time of writing,
                        the text: JSON of [key, content]

A note has a slot, the next one of its key overwrites it there, and when all slots are taken the key that was
longest without a new note loses its own. Slots are written with ``pwrite``: a full disk is an error of that one
note, where a mapped page would be SIGBUS. A writer that dies in the middle, and a reader that comes
in the middle, leave a slot whose checksum is wrong, which is left out.

Like a segment's, a file's writer lives while it holds the file's lock. Notes of the dead move into one file for
each kind. That may happen twice, because merging by key twice is the same as once.
"""

from __future__ import annotations

import json
import os
import re
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final, NamedTuple
from zlib import crc32

from stethoscope.names import NoteKind
from stethoscope.store.folder import Folder, writer_holds
from stethoscope.store.layout import VERSION
from stethoscope.store.lock import ReentrantLock

_MAGIC: Final = b"STETHNOT"
_HEADER: Final = struct.Struct("<8sI52x")
_SLOT: Final = struct.Struct("<IId")
HEAD_BYTES: Final = _SLOT.size
"""Bytes at the beginning of a slot that are others whenever its note is another."""
_MOST_BYTES: Final = 32 << 20
"""Of a file that is read: none that a writer of ours has made is larger."""
_NAME: Final = re.compile(rf"(?:[0-9a-f]+|retired)\.([a-z]+)\.v{VERSION}\.notes")
_LOCK: Final = "notes"

# Taken once: an app may replace functions of the json module, and would be asked to encode for us.
_to_json: Final = json.JSONEncoder(separators=(",", ":")).encode
_from_json: Final = json.JSONDecoder().decode


class Note(NamedTuple):
    """``written_at`` is Unix time in seconds."""

    key: str
    written_at: float
    content: Mapping[str, object]


class Notebook:
    """The notes of one kind that this process writes. Any thread.

    Without a folder, or where no file can be made in it, they stay in this process's memory.
    """

    def __init__(self, kind: NoteKind, folder: Folder | None) -> None:
        self._kind = kind
        self._folder = folder
        self._lock = ReentrantLock()
        self._slots: dict[str, int] = {}
        """By key, the one that was longest without a new note first."""
        self._memory: dict[int, bytes] = {}
        self._name = ""
        self._file = -1

    def write(self, key: str, content: Mapping[str, object], written_at: float | None = None) -> None:
        """Raises ValueError for a note that is too long, TypeError for what is not JSON, OSError when there is no room."""
        data = encode(key, time.time() if written_at is None else written_at, content)
        if len(data) > self._kind.most_bytes:
            raise ValueError(
                f"a note of kind {self._kind.name!r} takes {self._kind.most_bytes} bytes, {key!r} needs {len(data)}"
            )
        with self._lock:
            self._open()
            slot = self._take_slot(key)
            if self._file < 0:
                self._memory[slot] = data
            else:
                os.pwrite(self._file, data, _HEADER.size + slot * self._kind.most_bytes)

    def in_memory(self) -> list[Note]:
        """The notes that are in no file, so that nobody else can read them."""
        return [note for data in list(self._memory.values()) if (note := decode(data))]

    def all(self) -> list[Note]:
        with self._lock:
            return self.in_memory() if self._file < 0 else list(_read(self._file))

    def release(self) -> None:
        """Let go of the file: to readers its writer has ended. Without the lock, which a fork may have left held."""
        descriptor, self._file = self._file, -1
        if descriptor >= 0:
            os.close(descriptor)

    def withdraw(self) -> None:
        """Delete the file: the notes go on elsewhere."""
        with self._lock:
            if self._folder and self._name:
                self._folder.remove(self._name)
            self._folder = None
            self.release()

    def _open(self) -> None:
        if self._file >= 0 and os.fstat(self._file).st_nlink == 0:  # somebody has emptied the folder
            self.release()
        if self._file < 0 and self._folder is not None and not self._memory:
            with suppress(OSError):
                self._name, self._file = self._folder.create_locked(
                    f".{self._kind.name}.v{VERSION}.notes", _HEADER.pack(_MAGIC, self._kind.most_bytes)
                )
                self._slots.clear()

    def _take_slot(self, key: str) -> int:
        slot = self._slots.pop(key, -1)
        if slot < 0:
            full = len(self._slots) >= self._kind.most
            slot = self._slots.pop(next(iter(self._slots))) if full else len(self._slots)
        self._slots[key] = slot
        return slot


def encode(key: str, written_at: float, content: Mapping[str, object]) -> bytes:
    text = _to_json([key, content]).encode()
    checked = _SLOT.pack(0, len(text), written_at) + text
    return struct.pack("<I", crc32(checked[4:])) + checked[4:]


def decode(slot: bytes) -> Note | None:
    """The note in a slot; None where there is none that can be read."""
    if len(slot) < _SLOT.size:
        return None
    checksum, length, written_at = _SLOT.unpack_from(slot)
    stop = _SLOT.size + length
    if not length or stop > len(slot) or crc32(slot[4:stop]) != checksum:
        return None
    try:
        key, content = _from_json(slot[_SLOT.size : stop].decode())
    except (ValueError, TypeError, RecursionError):
        return None
    return Note(key, written_at, content) if isinstance(key, str) and isinstance(content, dict) else None


def read_notes(folder: Folder, kind: NoteKind) -> list[Note]:
    """All notes of a kind in a service's folder, newest first. Files that cannot be read are left out."""
    return newest(note for name in names_of(folder, kind.name) for note in _read_named(folder, name))


def newest(notes: Iterable[Note]) -> list[Note]:
    """The newest note of each key, newest first."""
    found: dict[str, Note] = {}
    for note in notes:
        if note.key not in found or found[note.key].written_at < note.written_at:
            found[note.key] = note
    return sorted(found.values(), key=lambda note: note.written_at, reverse=True)


def fold_notes(folder: Folder, kinds: Iterable[NoteKind]) -> None:
    """Move notes of ended workers into one file for each kind, unless somebody else is doing so. Raises OSError."""
    with folder.exclusive(_LOCK) as mine:
        for kind in kinds if mine else ():
            retired = f"retired.{kind.name}.v{VERSION}.notes"
            dead = [name for name in names_of(folder, kind.name) if name != retired and _is_dead(folder, name)]
            if dead:
                notes = newest(note for name in [retired, *dead] for note in _read_named(folder, name))
                folder.write(retired, _image(kind, notes[: kind.most]))
            for name in dead:
                folder.remove(name)


def _image(kind: NoteKind, notes: Iterable[Note]) -> bytes:
    slots = [encode(*note).ljust(kind.most_bytes, b"\0") for note in notes]
    return _HEADER.pack(_MAGIC, kind.most_bytes) + b"".join(slots)


def names_of(folder: Folder, kind: str) -> list[str]:
    return [name for name in folder.names() if (found := _NAME.fullmatch(name)) and found[1] == kind]


def _is_dead(folder: Folder, name: str) -> bool:
    with suppress(OSError):
        descriptor = folder.open(name)
        try:
            return not writer_holds(descriptor)
        finally:
            os.close(descriptor)
    return False


def _read_named(folder: Folder, name: str) -> list[Note]:
    with suppress(OSError):
        descriptor = folder.open(name)
        try:
            return list(_read(descriptor))
        finally:
            os.close(descriptor)
    return []


def _read(descriptor: int) -> Iterator[Note]:
    places = slots(descriptor)
    data = os.pread(descriptor, places.stop, 0)
    for start in places:
        # A slot may just be being written; by the second look that is over.
        note = decode(data[start : start + places.step]) or decode(os.pread(descriptor, places.step, start))
        if note is not None:
            yield note


def slots(descriptor: int) -> range:
    """Where slots begin in a file of notes, a slot's size apart; none in a file that is no such file. Raises OSError."""
    head = os.pread(descriptor, _HEADER.size, 0)
    magic, size = _HEADER.unpack_from(head.ljust(_HEADER.size, b"\0"))
    if magic != _MAGIC or size <= _SLOT.size:
        return range(0)
    return range(_HEADER.size, min(os.fstat(descriptor).st_size, _MOST_BYTES), size)


def body_bytes(head: bytes) -> int:
    """How many bytes the note has of which this is the head, head included; 0 where there is none."""
    return _SLOT.size + int(_SLOT.unpack(head)[1]) if len(head) == HEAD_BYTES else 0
