"""Notes: what one worker writes all can read, bounded, whatever is in the files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stethoscope.names import NOTE_KINDS, NoteKind
from stethoscope.store.folder import Folder
from stethoscope.store.layout import VERSION
from stethoscope.store.notes import Note, Notebook, decode, encode, fold_notes, newest, read_notes

KIND = NoteKind("finding", 3, 256)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "notes"))


def files(folder: Folder) -> list[str]:
    return sorted(name for name in folder.names() if name.endswith(".notes"))


def contents(found: list[Note]) -> dict[str, object]:
    return {note.key: dict(note.content) for note in found}


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    key=st.text(max_size=10), stamp=st.floats(0, 2e9), content=st.dictionaries(st.text(max_size=4), json, max_size=3)
)
def test_note_is_read_back_as_it_was_written(key: str, stamp: float, content: dict[str, object]) -> None:
    assert decode(encode(key, stamp, content).ljust(4096, b"\0")) == Note(key, stamp, content)


@given(data=st.binary(max_size=60), cut=st.integers(0, 40), flipped=st.integers(0, 39))
def test_slot_that_is_damaged_is_no_note(data: bytes, cut: int, flipped: int) -> None:
    """A3: torn, cut off, or never written by us."""
    whole = bytearray(encode("key", 1.0, {"a": "some text"}))
    assert decode(bytes(whole[: min(cut, len(whole) - 1)])) is None
    whole[flipped % len(whole)] ^= 0xFF
    assert decode(bytes(whole)) is None
    decode(data)  # raises nothing


def test_newest_note_of_a_key_stands_whoever_wrote_it(folder: Folder) -> None:
    one, other = Notebook(KIND, folder), Notebook(KIND, folder)
    one.write("a", {"n": 1}, 10.0)
    other.write("a", {"n": 2}, 30.0)
    one.write("a", {"n": 3}, 20.0)
    one.write("b", {"n": 4}, 15.0)
    assert [(note.key, note.content["n"]) for note in read_notes(folder, KIND)] == [("a", 2), ("b", 4)]


def test_key_that_was_longest_without_a_new_note_makes_room(folder: Folder) -> None:
    book = Notebook(KIND, folder)
    for number, key in enumerate("abcad"):
        book.write(key, {"n": number}, float(number))
    assert contents(read_notes(folder, KIND)) == {"a": {"n": 3}, "c": {"n": 2}, "d": {"n": 4}}
    for number in range(1000):
        book.write(str(number), {}, 100.0 + number)
    assert len(read_notes(folder, KIND)) == KIND.most
    (name,) = files(folder)
    assert os.stat(f"{folder.path}/{name}").st_size <= 64 + KIND.most * KIND.most_bytes


def test_shorter_note_leaves_nothing_of_a_longer_one(folder: Folder) -> None:
    book = Notebook(KIND, folder)
    book.write("a", {"text": "x" * 150})
    book.write("a", {})
    assert contents(read_notes(folder, KIND)) == {"a": {}}


def test_note_that_is_too_long_is_refused_and_the_one_before_stays(folder: Folder) -> None:
    book = Notebook(KIND, folder)
    book.write("a", {"n": 1})
    with pytest.raises(ValueError, match=r"kind 'finding' takes 256 bytes, 'a' needs \d+"):
        book.write("a", {"text": "x" * 300})
    assert contents(read_notes(folder, KIND)) == {"a": {"n": 1}}


def test_notes_of_the_dead_move_into_one_file_and_stay_within_bounds(folder: Folder) -> None:
    """A1: however many workers come and go."""
    for worker in range(5):
        book = Notebook(KIND, folder)
        book.write("shared", {"worker": worker}, 100.0 + worker)
        book.write(str(worker), {}, float(worker))
        book.release()  # as its process's end does
    alive = Notebook(KIND, folder)
    alive.write("alive", {}, 50.0)
    before = read_notes(folder, KIND)
    for _ in range(2):
        fold_notes(folder, [KIND])
        assert len(files(folder)) == 2
        assert contents(read_notes(folder, KIND)) == {"shared": {"worker": 4}, "alive": {}, "4": {}, "3": {}}
    assert len(before) == 7


def test_folding_again_after_a_folder_died_before_it_deleted_changes_nothing(folder: Folder) -> None:
    book = Notebook(KIND, folder)
    book.write("a", {"n": 1}, 1.0)
    book.release()
    (name,) = files(folder)
    data = Path(folder.path, name).read_bytes()
    fold_notes(folder, [KIND])
    Path(folder.path, name).write_bytes(data)
    os.chmod(f"{folder.path}/{name}", 0o600)
    fold_notes(folder, [KIND])
    assert contents(read_notes(folder, KIND)) == {"a": {"n": 1}}


@pytest.mark.parametrize(
    "data", [b"", b"x", b"STETHNOT" + bytes(56), b"FOREIGN!" + bytes(500), b"STETHNOT\xff\0\0\0" * 99]
)
def test_files_that_are_not_ours_are_left_out(folder: Folder, data: bytes) -> None:
    """A3, A11"""
    book = Notebook(KIND, folder)
    book.write("a", {})
    folder.write(f"00ff.finding.v{VERSION}.notes", data)
    os.symlink("/etc/passwd", f"{folder.path}/11ff.finding.v{VERSION}.notes")
    assert contents(read_notes(folder, KIND)) == {"a": {}}
    fold_notes(folder, [KIND])
    assert contents(read_notes(folder, KIND)) == {"a": {}}


def test_emptied_folder_gets_a_new_file(folder: Folder) -> None:
    """B38"""
    book = Notebook(KIND, folder)
    book.write("a", {})
    for name in files(folder):
        folder.remove(name)
    book.write("b", {})
    assert contents(read_notes(folder, KIND)) == {"b": {}}


def test_without_a_folder_notes_stay_in_memory() -> None:
    book = Notebook(KIND, None)
    for number in range(5):
        book.write(str(number), {}, float(number))
    assert [note.key for note in newest(book.in_memory())] == ["4", "3", "2"]
    assert book.all() == book.in_memory()


def test_kinds_are_told_apart(folder: Folder) -> None:
    for kind in NOTE_KINDS:
        Notebook(kind, folder).write("a", {"kind": kind.name})
    assert [read_notes(folder, kind)[0].content for kind in NOTE_KINDS] == [{"kind": kind.name} for kind in NOTE_KINDS]
