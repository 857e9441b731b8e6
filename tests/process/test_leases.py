"""Duties of a service: one process has each, takes it over when its holder dies, and leaves it to a sidecar."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from stethoscope.store.folder import Folder
from stethoscope.store.lease import HOUSEKEEPING, OTLP, Lease, offer
from tests.process.children import Child, running
from tests.process.stores import REQUESTS, recorder_in

DUTY = "pushing"


def ask_when_told(pipe: Connection, place: Path, relieves: bool) -> None:
    """Say whether the duty is held, once for each word that comes; "release" lets go first, "fork" asks in a child."""
    lease = Lease(Folder(str(place)), DUTY, relieves=relieves)
    while True:
        word = pipe.recv()
        if word == "release":
            lease.release()
            pipe.send(None)
        elif word == "fork":
            pipe.send(os.waitstatus_to_exitcode(os.waitpid(forked(lease), 0)[1]))
        elif word == "leave a child":
            fork_and_stay(pipe)
        else:
            pipe.send(lease.held())


def forked(lease: Lease) -> int:
    """The pid of a child that asks, and ends with what it was told."""
    pid = os.fork()
    if pid == 0:
        os._exit(int(lease.held()))
    return pid


def fork_and_stay(pipe: Connection) -> None:
    """A child that stays, and says who it is: by then it has let go of what it inherited."""
    if os.fork() == 0:
        pipe.send(os.getpid())
        signal.pause()


class Holder:
    def __init__(self, child: Child) -> None:
        self.child = child

    def held(self) -> bool:
        return self.tell("ask") is True

    def tell(self, word: str) -> object:
        self.child.say(word)
        return self.child.hear()


@pytest.fixture
def holders(place: Path) -> Iterator[list[Holder]]:
    """Three workers."""
    with ExitStack() as stack:
        yield [Holder(stack.enter_context(running(ask_when_told, place, False))) for _ in range(3)]


@pytest.fixture
def sidecar(place: Path) -> Iterator[Holder]:
    with running(ask_when_told, place, True) as child:
        yield Holder(child)


def test_one_of_several_holds_a_duty_and_keeps_it(holders: list[Holder]) -> None:
    for _ in range(3):
        assert [holder.held() for holder in holders] == [True, False, False]


def test_a_killed_holder_is_succeeded_by_the_next_who_asks(holders: list[Holder]) -> None:
    first, second, third = holders
    assert first.held()
    first.child.kill()
    assert [third.held(), second.held()] == [True, False]


def test_a_released_duty_goes_to_the_next_who_asks(holders: list[Holder]) -> None:
    first, second, _ = holders
    assert first.held()
    first.tell("release")
    assert [second.held(), first.held()] == [True, False]


def test_a_sidecar_relieves_the_worker_when_that_asks_again(holders: list[Holder], sidecar: Holder) -> None:
    worker, other, _ = holders
    assert worker.held()
    assert not sidecar.held()
    assert not worker.held()
    assert sidecar.held()
    assert [worker.held(), other.held(), sidecar.held()] == [False, False, True]


def test_workers_take_the_duty_back_from_a_killed_sidecar(holders: list[Holder], sidecar: Holder) -> None:
    assert sidecar.held()
    assert not holders[0].held()
    sidecar.child.kill()
    assert [holder.held() for holder in holders] == [True, False, False]


def test_a_second_sidecar_waits_for_the_first(place: Path, sidecar: Holder) -> None:
    assert sidecar.held()
    with running(ask_when_told, place, True) as child:
        second = Holder(child)
        assert not second.held()
        sidecar.child.kill()
        assert second.held()


def test_a_forked_child_holds_nothing_and_takes_nothing_from_its_parent(holders: list[Holder]) -> None:
    first, second, _ = holders
    assert first.held()
    assert first.tell("fork") == 0
    assert [first.held(), second.held()] == [True, False]


def test_a_child_that_outlives_the_holder_does_not_keep_the_duty(holders: list[Holder]) -> None:
    first, second, _ = holders
    assert first.held()
    child = first.tell("leave a child")
    assert isinstance(child, int)
    try:
        first.child.kill()
        assert second.held()
    finally:
        os.kill(child, signal.SIGKILL)


def test_an_emptied_folder_leaves_one_holder(holders: list[Holder], place: Path) -> None:
    first, second, _ = holders
    assert first.held()
    for file in place.iterdir():
        file.unlink()
    assert [second.held(), first.held(), second.held()] == [True, False, True]


def test_duties_are_held_apart(place: Path) -> None:
    folder = Folder(str(place))
    one, other, same = Lease(folder, "one"), Lease(folder, "other"), Lease(folder, "one")
    assert [one.held(), other.held(), same.held()] == [True, True, False]


def test_a_folder_that_is_gone_gives_no_duty(place: Path) -> None:
    (place / "shop").mkdir()
    folder = Folder(str(place / "shop"))
    (place / "shop").rmdir()
    assert not Lease(folder, DUTY).held()
    assert not folder.exists


def test_offered_duties_are_free(place: Path) -> None:
    offer(Folder(str(place)))
    assert Lease(Folder(str(place)), OTLP).held()


def test_a_recorder_leaves_its_duties_behind_when_it_moves(place: Path) -> None:
    first, second = place / "first", place / "second"
    recorder, other = recorder_in(first), recorder_in(first)
    recorder.counter(REQUESTS, ("/",)).add(1.0)
    assert recorder.leads(DUTY)
    assert not other.leads(DUTY)
    recorder.move(lambda: Folder(str(second)))
    assert other.leads(DUTY)
    assert recorder.leads(DUTY)


def test_a_sidecar_relieves_workers_of_housekeeping(place: Path) -> None:
    recorder = recorder_in(place)
    recorder.counter(REQUESTS, ("/",)).add(1.0)
    sidecar = Lease(Folder(str(place)), HOUSEKEEPING, relieves=True)
    assert sidecar.held()
    recorder.keep_house()
    assert not any(file.suffix == ".history" for file in place.iterdir())
    sidecar.release()
    recorder.keep_house()
    assert any(file.suffix == ".history" for file in place.iterdir())
