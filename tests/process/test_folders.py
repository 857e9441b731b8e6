"""Folders that are hostile, taken, read-only, missing or wiped: refused or repaired, with one clear warning."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import pytest

from stethoscope.store import home
from stethoscope.store.folder import SUFFIX, Folder, FolderError
from stethoscope.store.gather import Gatherer
from stethoscope.store.home import find_folder
from stethoscope.store.merge import Part
from stethoscope.store.reader import read_image
from stethoscope.store.recorder import SERIES_CAP, Recorder
from tests.process.children import running
from tests.process.stores import ACTIVE, KEPT, REQUESTS, gatherer_in, image, recorder_in, segments, total, value

Held = tuple[float, int, int]
"""What a worker says of itself: the count that it sees, its threads and its descriptors."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")


@pytest.fixture
def user() -> Iterator[int]:
    """The number of a user that nobody has, whose default folders are not there."""
    user = 1_000_000 + os.getpid()
    default = [Path(f"/dev/shm/stethoscope-{user}"), Path(tempfile.gettempdir()) / f"stethoscope-{user}"]
    yield user
    for path in [*default, Path(f"/dev/shm/stethoscope-{os.geteuid()}/shop-{user}")]:
        if path.is_symlink() or path.is_file():
            path.unlink()
        shutil.rmtree(path, ignore_errors=True)


def find_as(pipe: Connection, user: int, directory: str | None) -> None:
    """Find the folder of a service as this user; say which it is and what was warned of."""
    warned: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warned.append(record.getMessage())

    os.environ.pop("XDG_RUNTIME_DIR", None)
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    logging.getLogger("stethoscope").addHandler(Collect())
    find = find_folder("shop", shared=True, directory=directory)
    paths = [folder.path if folder else None for folder in (find(), find())]
    assert paths[0] == paths[1]
    pipe.send((paths[0], warned))


def found_as(user: int, directory: Path | None = None) -> tuple[str, list[str]]:
    with running(find_as, user, None if directory is None else str(directory)) as child:
        path, warned = cast("tuple[str, list[str]]", child.hear())
        return path, warned


@needs_root
def test_each_user_has_a_folder_of_their_own(user: int) -> None:
    """A15, two users: 0700, and nobody is warned."""
    path, warned = found_as(user)
    assert (path, warned) == (f"/dev/shm/stethoscope-{user}/shop", [])
    for part in (Path(path), Path(path).parent):
        assert (part.stat().st_uid, stat.S_IMODE(part.stat().st_mode)) == (user, 0o700)


def become_another_user(pipe: Connection, user: int) -> None:
    """Record as root, then as somebody else, without a fork between."""
    recorder = Recorder("shop", find_folder(f"shop-{user}", shared=True))
    recorder.counter(REQUESTS, ("/a",)).add(1.0)
    recorder.keep_house()  # imports what the other user may have no right to
    first = recorder._here().folder
    recorder._view = None  # so that no file is open yet
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    recorder.counter(REQUESTS, ("/a",)).add(1.0)
    seen = [value(recorder.snapshot(), REQUESTS, "/a")]
    recorder.keep_house()
    recorder.counter(REQUESTS, ("/b",)).add(1.0)
    snapshot = recorder.snapshot()
    seen += [value(snapshot, REQUESTS, "/a"), value(snapshot, REQUESTS, "/b")]
    second = recorder._here().folder
    assert first is not None
    assert second is not None
    pipe.send((seen, first.path, second.path))


@needs_root
def test_a_worker_that_becomes_another_user_after_its_first_record_takes_its_numbers_along(user: int) -> None:
    """A15: gunicorn's post_fork hook records as root, the worker goes on as www-data."""
    with running(become_another_user, user) as child:
        seen, first, second = cast("tuple[list[float], str, str]", child.hear())
    assert first == f"/dev/shm/stethoscope-{os.geteuid()}/shop-{user}"
    assert seen == [2, 2, 1]
    assert second == f"/dev/shm/stethoscope-{user}/shop-{user}"


def make_as_somebody_else(path: Path, user: int) -> None:
    path.mkdir(0o777)
    path.chmod(0o777)


def make_writable_for_all(path: Path, user: int) -> None:
    path.mkdir()
    path.chmod(0o777)
    os.chown(path, user, user)


def make_a_link(path: Path, user: int) -> None:
    target = Path(tempfile.mkdtemp(prefix="stethoscope-test-target-"))
    os.chown(target, user, user)
    path.symlink_to(target)


def make_a_file(path: Path, user: int) -> None:
    path.write_text("not a folder")


@needs_root
@pytest.mark.parametrize(
    "occupy", [make_as_somebody_else, make_writable_for_all, make_a_link, make_a_file], ids=lambda make: make.__name__
)
def test_a_default_folder_that_somebody_else_has_prepared_is_refused_with_one_warning(
    occupy: Callable[[Path, int], None], user: int
) -> None:
    """A15: hostile folder in /dev/shm, which everybody can write to; the next place is used."""
    hostile = Path(f"/dev/shm/stethoscope-{user}")
    occupy(hostile, user)
    target = hostile.resolve()
    path, (warning,) = found_as(user)
    assert path == f"{tempfile.gettempdir()}/stethoscope-{user}/shop"
    assert str(hostile) in warning
    assert path in warning
    assert target.is_file() or list(target.iterdir()) == []
    if target != hostile:
        target.rmdir()


@needs_root
def test_without_any_place_there_is_private_memory_and_one_warning(user: int) -> None:
    """A15, B38: every default place is taken by somebody else."""
    for path in (Path(f"/dev/shm/stethoscope-{user}"), Path(tempfile.gettempdir()) / f"stethoscope-{user}"):
        make_as_somebody_else(path, user)
    path_found, (warning,) = found_as(user)
    assert path_found is None
    assert "private memory" in warning


def test_where_nothing_can_be_written_to_there_is_no_place_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    everywhere = list(home.default_places())
    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    assert list(home.default_places()) == everywhere[:-1]


@needs_root
def test_a_configured_folder_that_can_not_be_written_to_is_told_of_and_the_default_used(
    user: int, tmp_path: Path
) -> None:
    """B38: a read-only folder."""
    read_only = Path(tempfile.mkdtemp(prefix="stethoscope-test-"))
    try:
        read_only.chmod(0o755)
        path, (warning,) = found_as(user, read_only)
    finally:
        read_only.rmdir()
    assert path == f"/dev/shm/stethoscope-{user}/shop"
    assert str(read_only) in warning


def test_a_configured_folder_that_is_missing_is_made(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    """B38: a missing folder."""
    folder = find_folder("shop", shared=True, directory=str(place / "not" / "there"))()
    assert folder is not None
    assert folder.path == str(place / "not" / "there" / "shop")
    assert caplog.records == []


def test_a_folder_within_the_place_that_is_a_link_is_refused(place: Path) -> None:
    """A15."""
    (place / "target").mkdir(0o700)
    (place / "shop").symlink_to("target")
    with pytest.raises(FolderError, match="shop cannot be made or opened"):
        Folder(str(place / "shop"))


def test_two_services_in_one_place_have_two_folders_even_with_names_that_look_alike(place: Path) -> None:
    """A17: no name of a service can lead out of the place or into another's folder."""
    services = ["a/b", "a_b", "../a", "..", ".", "a@1-2", "ä", "a" * 300, "a" * 299 + "b", "", "a\0b", "\ud800"]
    found = []
    for service in services:
        folder = find_folder(service, shared=True, directory=str(place))()
        assert folder is not None
        found.append(folder.path)
    assert len(set(found)) == len(services)
    assert {os.path.dirname(path) for path in found} == {str(place)}


def test_the_folder_of_a_server_that_has_ended_is_removed_and_others_are_not(place: Path) -> None:
    """B6: nothing is left of servers that were not named."""
    for name in ("shop@999999999-1", "shop@999999998-1", "shop"):
        (place / name).mkdir(0o700)
        (place / name / "totals.v1").write_bytes(b"")
    (place / "shop@999999997-1").write_text("not a folder, and no reason to leave the others there")
    for path in place.iterdir():
        os.utime(path, (1, 1))
    with running(record_and_live, place / "shop@999999998-1") as worker:
        worker.hear()
        os.utime(place / "shop@999999998-1", (1, 1))
        find_folder("other", shared=True, directory=str(place))()
        assert sorted(path.name for path in place.iterdir()) == [
            "other",
            "shop",
            "shop@999999997-1",
            "shop@999999998-1",
        ]


def record_and_live(pipe: Connection, place: Path) -> None:
    recorder = recorder_in(place)
    recorder.counter(REQUESTS, ("/a",)).add(5.0)
    recorder.gauge(ACTIVE).add(2.0)
    recorder.gauge(KEPT).add(2.0)
    pipe.send("recorded")
    while pipe.recv() == "more":
        recorder.counter(REQUESTS, ("/a",)).add(1.0)
        recorder.counter(REQUESTS, ("/b",)).add(1.0)
        recorder.gauge(ACTIVE).add(-1.0)
        recorder.gauge(KEPT).add(-1.0)
        own = value(recorder.snapshot(), REQUESTS, "/a")
        recorder.keep_house()
        pipe.send((own, threading.active_count(), len(os.listdir("/proc/self/fd"))))


def wipe_all(place: Path) -> None:
    shutil.rmtree(place)


def wipe_files(place: Path) -> None:
    for path in place.iterdir():
        path.unlink()


@pytest.mark.parametrize("wipe", [wipe_all, wipe_files], ids=lambda wipe: wipe.__name__)
def test_numbers_come_back_after_the_folder_was_wiped(wipe: Callable[[Path], None], place: Path) -> None:
    """B38: rm -rf, systemd-tmpfiles. Within a housekeeping step, and never twice."""
    with running(record_and_live, place) as worker:
        worker.hear()
        wipe(place)
        worker.say("more")
        own, *_ = cast("Held", worker.hear())
        assert own == 6, "the worker itself sees its numbers all the time"
        for _ in range(2):
            seen = gatherer_in(place).gather()
            assert (value(seen, REQUESTS, "/a"), value(seen, REQUESTS, "/b")) == (6, 1)
            assert (total(seen, ACTIVE), total(seen, KEPT), seen.workers) == (1, 1, (worker.pid,))


def test_wiping_again_and_again_leaves_neither_threads_nor_descriptors_nor_files(place: Path) -> None:
    """B38."""
    with running(record_and_live, place) as worker:
        worker.hear()
        held = []
        for _ in range(5):
            wipe_all(place)
            worker.say("more")
            held.append(cast("Held", worker.hear()))
        assert [own for own, _, _ in held] == [6, 7, 8, 9, 10]
        assert held[0][1:] == held[-1][1:]
        gatherer_in(place).gather()
        assert len(segments(place)) == 1


def test_what_a_worker_has_published_while_it_was_being_read_is_not_counted_twice(place: Path) -> None:
    """B38: its own copy in memory was read before the move, its new file after it."""
    data = image({"/a": 3})
    Folder(str(place)).write(f"moved{SUFFIX}", data)
    gatherer = Gatherer("test", Folder(str(place)), lambda: [Part(read_image(data), alive=True)], SERIES_CAP)
    assert [value(gatherer.gather(), REQUESTS, "/a") for _ in range(3)] == [3, 3, 3]


def test_a_gatherer_goes_on_when_all_that_it_knew_is_gone(place: Path) -> None:
    """B38: no segment and no totals are left."""
    with running(record_and_live, place) as worker:
        worker.hear()
        gatherer = gatherer_in(place)
        assert value(gatherer.gather(), REQUESTS, "/a") == 5
        wipe_files(place)
        assert value(gatherer.gather(), REQUESTS, "/a") == 0


def test_the_warning_about_a_place_is_given_once(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    (place / "file").write_text("")
    home._warned.clear()
    for _ in range(3):
        find_folder("shop", shared=True, directory=str(place / "file"))()
    assert len(caplog.records) == 1


def test_a_relative_folder_is_that_of_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """B38: a process may go elsewhere before it records."""
    monkeypatch.chdir(tmp_path)
    find = find_folder("shop", shared=True, directory="here")
    monkeypatch.chdir("/")
    folder = find()
    assert folder is not None
    assert folder.path == str(tmp_path / "here" / "shop")
