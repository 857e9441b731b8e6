"""What is short in notes is always what is in them, however often it is asked for, and whatever happens to the files."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from stethoscope.names import NoteKind
from stethoscope.store import brief
from stethoscope.store.brief import BriefNotes, heads_plainly
from stethoscope.store.folder import Folder
from stethoscope.store.notes import Note, Notebook, encode, fold_notes, read_notes, slots

KIND = NoteKind("request", 8, 512)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "notes"))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where the slots began that were decoded since it was last cleared."""
    starts: list[int] = []
    decode = brief._decoded

    def counted(descriptor: int, start: int, size: int) -> Note | None:
        starts.append(start)
        return decode(descriptor, start, size)

    monkeypatch.setattr(brief, "_decoded", counted)
    return starts


def content(number: int) -> dict[str, object]:
    return {"n": number, "text": "t" * number, "long": [number] * 3, "object": {"a": number}}


def without_long(notes: list[Note]) -> list[tuple[str, float, dict[str, Any]]]:
    return [(key, at, {name: had[name] for name in had if name in ("n", "text")}) for key, at, had in notes]


def test_it_is_what_reading_all_from_scratch_gives_whatever_was_written_meanwhile(folder: Folder) -> None:
    """New keys, old keys anew, keys that lose their slot, in three files; and one that ends, with its notes moved."""
    chance = random.Random(6)
    books = [Notebook(KIND, folder) for _ in range(3)]
    reader = BriefNotes(folder, KIND)
    for step in range(60):
        if step == 30:
            books.pop().release()
            fold_notes(folder, [KIND])
        for _ in range(chance.randrange(3)):
            key, number = f"key {chance.randrange(20)}", chance.randrange(40)
            chance.choice(books).write(key, content(number), float(step * 10 + chance.randrange(10)))
        found = reader.all()
        assert without_long(found) == without_long(read_notes(folder, KIND)), step
        assert all("long" not in note.content and "object" not in note.content for note in found)
    for book in books:
        book.release()


def test_only_what_is_new_is_decoded(folder: Folder, decoded: list[int]) -> None:
    book, reader = Notebook(KIND, folder), BriefNotes(folder, KIND)
    for number in range(5):
        book.write(f"key {number}", content(number), float(number))
    first = reader.all()
    assert len(decoded) == 5
    assert reader.all() is first
    assert len(decoded) == 5
    book.write("key 3", content(30), 100.0)
    assert reader.all()[0] == Note("key 3", 100.0, {"n": 30, "text": "t" * 30})
    assert len(decoded) == 6
    book.release()


def test_a_note_that_is_half_written_is_left_out_and_found_when_it_is_whole(folder: Folder) -> None:
    book, reader = Notebook(KIND, folder), BriefNotes(folder, KIND)
    book.write("whole", content(1), 1.0)
    book.write("torn", content(2), 2.0)
    assert [note.key for note in reader.all()] == ["torn", "whole"]
    anew = encode("torn", 3.0, content(3))
    descriptor = os.open(os.path.join(folder.path, book._name), os.O_RDWR)
    try:
        start = slots(descriptor)[1]
        os.pwrite(descriptor, anew[:30], start)  # the head and some of the text
        assert [note.key for note in reader.all()] == ["whole"]
        os.pwrite(descriptor, anew[30:], start + 30)
        assert [(note.key, note.written_at) for note in reader.all()] == [("torn", 3.0), ("whole", 1.0)]
        os.ftruncate(descriptor, start)
        assert [note.key for note in reader.all()] == ["whole"]
    finally:
        os.close(descriptor)
    book.release()


def test_a_whole_note_is_read_when_it_is_wanted_and_none_when_it_is_gone(folder: Folder) -> None:
    book, other, reader = Notebook(KIND, folder), Notebook(KIND, folder), BriefNotes(folder, KIND)
    book.write("a", content(1), 1.0)
    other.write("a", content(2), 2.0)
    reader.all()
    assert reader.whole("a") == Note("a", 2.0, content(2)), "the newest"
    assert reader.whole("b") is None
    other.withdraw()
    assert reader.whole("a") == Note("a", 1.0, content(1))
    book.withdraw()
    assert reader.whole("a") is None
    assert reader.all() == []


def test_what_nobody_asks_for_is_let_go(folder: Folder, decoded: list[int]) -> None:
    book, reader = Notebook(KIND, folder), BriefNotes(folder, KIND)
    book.write("a", content(1), 1.0)
    reader.all()
    reader.rest()
    reader.all()
    assert len(decoded) == 1, "somebody had asked since"
    reader.rest()
    reader.rest()
    assert reader.all() == [Note("a", 1.0, {"n": 1, "text": "t"})]
    assert len(decoded) == 2
    book.release()


def test_heads_are_the_same_compiled_and_plain_also_where_a_file_ends(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(1000))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        for first, stop, step in [(0, 1000, 100), (64, 1000, 300), (990, 1000, 100), (900, 5000, 90), (0, 0, 16)]:
            assert brief.heads(descriptor, first, stop, step, 16) == heads_plainly(descriptor, first, stop, step, 16)
    finally:
        os.close(descriptor)
    with pytest.raises(OSError, match="descriptor"):
        brief.heads(descriptor, 0, 100, 10, 16)
