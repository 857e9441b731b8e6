"""Chores: done in turn, again after a failure, and in every process that records."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from weakref import finalize

import pytest

from stethoscope import names
from stethoscope.names import FINDINGS_FOUND, QUERIES
from stethoscope.store.folder import Folder
from stethoscope.store.recorder import Recorder
from tests.store.images import COUNTER

PATIENCE = 30.0


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder("test", lambda: Folder(str(tmp_path / "segments")))


def test_chore_is_done_from_the_first_record_on_and_again_after_it_failed(recorder: Recorder) -> None:
    done = threading.Semaphore(0)

    def task() -> None:
        done.release()
        raise KeyError("chore")

    recorder.every(0.001, "chores", task)
    assert not done.acquire(timeout=0.05)  # nothing was recorded, so there is no thread
    recorder.counter(COUNTER, ("x",)).add(1.0)
    assert all(done.acquire(timeout=PATIENCE) for _ in range(3))
    (failed,) = recorder.snapshot().family(names.INTERNAL_ERRORS).series
    assert (failed.labels, failed.value) >= (("chores",), 2.0)


def test_chore_that_comes_later_does_not_wait_for_the_round_of_others(recorder: Recorder) -> None:
    recorder.counter(COUNTER, ("x",)).add(1.0)
    done = threading.Event()
    recorder.every(0.001, "chores", done.set)
    assert done.wait(PATIENCE)


def test_chore_ends_with_the_object_that_it_is_of(recorder: Recorder) -> None:
    class Owner:
        def __init__(self) -> None:
            self.done = threading.Event()

        def work(self) -> None:
            self.done.set()

    owner, chores = Owner(), len(recorder.chores)
    gone = threading.Event()
    finalize(owner, gone.set)  # the last to be told, as the first that asked for it
    recorder.every_while(0.001, "chores", owner, Owner.work)
    recorder.counter(COUNTER, ("x",)).add(1.0)
    assert owner.done.wait(PATIENCE)
    del owner
    assert gone.wait(PATIENCE)  # the thread may have it in hand
    assert len(recorder.chores) == chores
    assert recorder.snapshot().family(names.INTERNAL_ERRORS).series == ()


def test_chores_are_done_in_a_forked_child_too(recorder: Recorder) -> None:
    reading, writing = os.pipe()

    def tell() -> None:
        os.write(writing, b"%d\n" % os.getpid())

    recorder.every(0.001, "chores", tell)
    child = os.fork()
    if not child:
        recorder.counter(COUNTER, ("x",)).add(1.0)
        threading.Event().wait(PATIENCE)
        os._exit(1)
    try:
        assert int(os.read(reading, 100).split()[0]) == child
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)


def test_notes_are_seen_by_all_and_outlive_their_writer(tmp_path: Path) -> None:
    one, other = (Recorder("test", lambda: Folder(str(tmp_path / "segments"))) for _ in range(2))
    child = os.fork()
    if not child:
        one.note(QUERIES, "q", {"text": "select ?"})
        os._exit(0)
    os.waitpid(child, 0)
    other.note(QUERIES, "r", {})
    assert [note.key for note in one.notes(QUERIES)] == ["r", "q"]
    other.keep_house()
    assert [note.key for note in one.notes(QUERIES)] == ["r", "q"]
    assert one.notes(FINDINGS_FOUND) == []


def test_note_that_can_not_be_kept_is_counted(recorder: Recorder) -> None:
    recorder.note(QUERIES, "long", {"text": "x" * 5000})
    recorder.note(QUERIES, "no JSON", {"text": object()})
    (failed,) = recorder.snapshot().family(names.INTERNAL_ERRORS).series
    assert (failed.labels, failed.value) == (("notes",), 2.0)


def test_notes_move_with_their_recorder(tmp_path: Path, recorder: Recorder) -> None:
    recorder.note(QUERIES, "q", {"n": 1})
    (before,) = recorder.notes(QUERIES)
    recorder.move(lambda: Folder(str(tmp_path / "elsewhere")))
    assert recorder.notes(QUERIES) == [before]
    assert [name for name in os.listdir(tmp_path / "segments") if name.endswith(".notes")] == []
