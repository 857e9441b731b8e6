"""How exporters are started and ended in a sidecar, whatever they do."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from stethoscope.exporters.exporter import Exporter, Source
from stethoscope.exporters.sending import close_all, make_all
from stethoscope.sidecar.watch import Watch
from stethoscope.store.discovery import Discovery
from stethoscope.store.folder import Folder
from stethoscope.store.home import find_folder
from stethoscope.store.recorder import Recorder
from stethoscope.store.snapshot import Snapshot
from stethoscope.store.watched import Watched, uncounted
from tests.process.stores import REQUESTS, total

Events = list[tuple[str, str]]


class Noting:
    """An exporter that notes what happens to it."""

    def __init__(self, source: Source, events: Events, closing: Callable[[], object] = lambda: None) -> None:
        self._source = source
        self._events = events
        self._closing = closing
        self.seen: Snapshot | None = None

    def start(self) -> None:
        self._events.append(("start", self._source.service))

    def close(self, seconds: float) -> None:
        self._closing()
        if self._source.leads("noting"):
            self.seen = self._source.snapshot()
        self._events.append(("close", self._source.service))


def quiet(place: Path, failures: list[str]) -> Watched:
    """A service in which nothing was recorded."""
    return Watched("shop", Folder(str(place)), lambda where, error: failures.append(f"{where}: {error}"))


def record(place: Path, service: str) -> Recorder:
    recorder = Recorder(service, find_folder(service, shared=True, directory=str(place)))
    recorder.counter(REQUESTS, ("/",)).add(1.0)
    return recorder


def fail(where: str, error: BaseException) -> None:
    raise error


def test_each_service_has_exporters_from_when_it_is_found_until_it_is_gone(place: Path) -> None:
    events: Events = []
    made: list[Noting] = []

    def make(source: Source) -> list[Exporter]:
        made.append(Noting(source, events))
        return [made[-1]]

    watch = Watch(Discovery([str(place)]), fail, uncounted, make)
    watch.look()
    assert events == []
    workers = [record(place, service) for service in ("shop", "till")]
    watch.look()
    watch.look()
    assert events == [("start", "shop"), ("start", "till")]
    for file in (place / "shop").iterdir():
        file.unlink()
    (place / "shop").rmdir()
    watch.look()
    assert events[2:] == [("close", "shop")]
    watch.close()
    assert events[3:] == [("close", "till")]
    assert made[1].seen is not None
    assert total(made[1].seen, REQUESTS) == 1
    assert len(workers) == 2


def test_services_that_end_together_are_left_together(place: Path) -> None:
    """With a receiver that hangs, each one takes all the time it may: 20 in a row would make the sidecar look stuck."""
    events: Events = []
    all_of_them = threading.Barrier(3)

    def close() -> None:
        all_of_them.wait(2)

    watch = Watch(Discovery([str(place)]), fail, uncounted, lambda source: [Noting(source, events, close)])
    workers = [record(place, service) for service in ("shop", "till", "yard")]
    watch.look()
    for name in ("shop", "till", "yard"):
        shutil.rmtree(place / name)
    watch.look()
    assert sorted(events[3:]) == [("close", "shop"), ("close", "till"), ("close", "yard")]
    assert len(workers) == 3


def test_what_fails_of_one_service_keeps_no_other_from_being_looked_after(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: Events = []
    failures: list[str] = []

    def make(source: Source) -> list[Exporter]:
        if source.service == "mad":
            raise RuntimeError("no exporter")
        return [Noting(source, events)]

    def leave(self: Watched) -> None:
        raise OSError("no room")

    watch = Watch(Discovery([str(place)]), lambda where, error: failures.append(where), uncounted, make)
    workers = [record(place, service) for service in ("mad", "shop")]
    watch.look()
    assert (events, failures) == ([("start", "shop")], ["exporters"])
    monkeypatch.setattr(Watched, "leave", leave)
    for name in ("mad", "shop"):
        shutil.rmtree(place / name)
    workers.append(record(place, "till"))
    watch.look()
    assert events[1:] == [("close", "shop"), ("start", "till")]
    assert failures[1:] == ["watch", "watch"]


def test_a_duty_is_free_again_when_the_watch_has_closed(place: Path) -> None:
    worker = record(place, "shop")
    watch = Watch(Discovery([str(place)]), fail, uncounted, lambda source: [Noting(source, [])])
    watch.look()
    assert watch.services["shop"].leads("noting")
    assert not worker.leads("noting")
    watch.close()
    assert worker.leads("noting")


def test_exporters_that_hang_are_left_when_the_time_is_over(place: Path) -> None:
    events: Events = []
    never = threading.Event()
    hanging = [Noting(quiet(place, []), events, never.wait) for _ in range(3)]
    try:
        close_all([*hanging, Noting(quiet(place, []), events)], 1.0)
        assert events == [("close", "shop")]
    finally:
        never.set()


def test_exporters_are_closed_also_where_no_thread_can_be_started(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in what Python 3.12.1 calls when it ends."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    events: Events = []
    some = [Noting(quiet(place, []), events) for _ in range(3)]
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        close_all(some, 1.0)
    assert events == [("close", "shop")] * 3


@pytest.fixture
def exporters(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    module = ModuleType("exporters_of_the_tests")

    def broken(source: Source) -> Exporter:
        raise RuntimeError("no endpoint")

    vars(module).update(good=lambda source: Noting(source, []), none=lambda source: None, broken=broken)
    monkeypatch.setitem(sys.modules, "exporters_of_the_tests", module)
    return {name: f"exporters_of_the_tests:{name}" for name in ("broken", "none", "good")}


def test_an_exporter_that_can_not_be_made_does_not_keep_the_others_from_it(
    exporters: dict[str, str], place: Path
) -> None:
    failures: list[str] = []
    assert len(make_all(quiet(place, failures), exporters)) == 1
    assert failures == ["broken: no endpoint"]
