"""Folders that another user of one group reads: what that user can do, and what nobody can."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import pytest

from stethoscope.names import NOTE_KINDS
from stethoscope.settings import Settings
from stethoscope.store.discovery import Discovery
from stethoscope.store.folder import Folder, FolderError, SharedFolder
from stethoscope.store.home import find_folder
from stethoscope.store.lease import OTLP, Lease
from stethoscope.store.recorder import Recorder
from stethoscope.store.registry import recorder_for
from stethoscope.store.watched import Watched
from tests.process.children import running
from tests.process.stores import REQUESTS, total

APP, READER, STRANGER, GROUP = 1_200_001, 1_200_002, 1_200_003, 1_200_009

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")

Report = dict[str, object]


def become(user: int, *groups: int) -> None:
    os.setgroups(list(groups))
    os.setgid(user)
    os.setuid(user)
    os.umask(0o077)


@pytest.fixture
def shared(place: Path) -> Path:
    """A place that is the app's."""
    place.chmod(0o755)
    (place / "app").mkdir(mode=0o700)
    os.chown(place / "app", APP, APP)
    return place / "app"


def record(pipe: Connection, place: Path, groups: tuple[int, ...], group: int | None) -> None:
    """Be the app: record, keep house, record again for each word, and say what the folder looks like."""
    become(APP, *groups)
    recorder = recorder_for(Settings.resolve(service="shop", dir=place, group=group, environ={}), "")
    recorder.counter(REQUESTS, ("/",)).add(1.0)
    recorder.keep_house()
    recorder.note(next(iter(NOTE_KINDS)), "key", {"a": 1})
    while True:
        pipe.send({path.name: mode(path) for path in [place, place / "shop", *(place / "shop").iterdir()]})
        pipe.recv()
        recorder.counter(REQUESTS, ("/",)).add(1.0)


def mode(path: Path) -> tuple[int, int, int]:
    status = path.lstat()
    return (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))


def in_child(task: Callable[[Path], Report], place: Path, user: int, *groups: int) -> Report:
    """What a task says that runs as this user."""
    with running(_report, task, place, user, groups) as child:
        return cast("Report", child.hear())


def _report(pipe: Connection, task: Callable[[Path], Report], place: Path, user: int, groups: tuple[int, ...]) -> None:
    become(user, *groups)
    pipe.send(task(place))


def read(place: Path) -> Report:
    """Find and read the service, as the sidecar does that believes the app's user."""
    found, problems = Discovery([str(place)], owner=APP).look({})
    services = {key: Watched(key, folder, _failed) for key, folder in found.items()}
    for service in services.values():
        service.keep_house()
    return {
        "problems": problems,
        "counts": {key: total(service.snapshot(), REQUESTS) for key, service in services.items()},
        "skipped": {
            key: service.snapshot().families["stethoscope_skipped_segments"] for key, service in services.items()
        },
        "notes": {key: len(service.notes(next(iter(NOTE_KINDS)))) for key, service in services.items()},
    }


def _failed(where: str, error: BaseException) -> None:
    raise error


def test_a_member_of_the_group_reads_all_that_the_app_records(shared: Path) -> None:
    with running(record, shared, (GROUP,), GROUP) as app:
        modes = cast("dict[str, tuple[int, int, int]]", app.hear())
        assert modes.pop("app") == modes.pop("shop") == (APP, GROUP, 0o2750)
        assert len(modes) > 5
        assert set(modes.values()) == {(APP, GROUP, 0o640)}
        for count in (1, 2):
            report = in_child(read, shared, READER, GROUP)
            assert (report["problems"], report["counts"], report["notes"]) == ([], {"shop": count}, {"shop": 1})
            app.say("go on")
            app.hear()


def test_nobody_outside_the_group_reads_anything(shared: Path) -> None:
    with running(record, shared, (GROUP,), GROUP) as app:
        app.hear()
        report = in_child(read, shared, STRANGER)
        assert report["counts"] == {}
        assert "Permission denied" in str(report["problems"])


def change_all(place: Path) -> Report:
    """Try to change each file and the folder itself; what could be changed."""
    attempts: dict[str, Callable[[], object]] = {}
    for path in (place / "shop").iterdir():
        attempts |= {
            f"write {path.suffix}": partial(path.open, "r+b"),
            f"truncate {path.suffix}": partial(os.truncate, path, 0),
            f"delete {path.suffix}": path.unlink,
            f"rename {path.suffix}": partial(path.rename, path.with_suffix(".x")),
        }
    attempts["create"] = (place / "shop" / "new").touch
    attempts["create in the place"] = (place / "new").mkdir
    return {"changed": [name for name, attempt in attempts.items() if succeeds(attempt)], "tried": len(attempts)}


def succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except PermissionError:
        return False
    return True


def test_a_member_of_the_group_can_change_nothing(shared: Path) -> None:
    with running(record, shared, (GROUP,), GROUP) as app:
        app.hear()
        report = in_child(change_all, shared, READER, GROUP)
        assert report["changed"] == []
        assert cast("int", report["tried"]) > 10


def write_as_root(place: Path) -> Report:
    """What our code does in a folder that it reads for another user, with all rights."""
    before = sorted(path.name for path in (place / "shop").iterdir())
    folder = SharedFolder(str(place / "shop"), APP)
    service = Watched("shop", folder, _failed)
    service.snapshot()
    service.keep_house()
    service.leave()
    folder.remove(before[0])
    refused = []
    for attempt in (lambda: folder.write("new", b""), folder.create_segment, lambda: folder.open_lock("new")):
        try:
            attempt()
        except OSError as error:
            refused.append(type(error).__name__)
    with folder.exclusive("fold") as mine:
        refused += [] if mine else ["exclusive"]
    return {"before": before, "after": sorted(path.name for path in (place / "shop").iterdir()), "refused": refused}


def test_even_root_leaves_another_user_s_folder_as_it_is(shared: Path) -> None:
    with running(record, shared, (GROUP,), GROUP) as app:
        app.hear()
        app.kill()
        report = in_child(write_as_root, shared, 0)
        assert report["before"] == report["after"]
        assert report["refused"] == ["FolderError", "FolderError", "FileNotFoundError", "exclusive"]


def hold_housekeeping(place: Path) -> Report:
    lease = Lease(SharedFolder(str(place / "shop"), APP), OTLP, relieves=True)
    return {"held": [lease.held(), lease.held()]}


def test_a_member_of_the_group_can_hold_a_duty_that_workers_have_offered(shared: Path) -> None:
    with running(record, shared, (GROUP,), GROUP) as app:
        app.hear()
        app.kill()
        assert in_child(hold_housekeeping, shared, READER, GROUP) == {"held": [True, True]}


def test_a_folder_that_was_private_is_opened_with_all_that_is_in_it(shared: Path) -> None:
    with running(record, shared, (GROUP,), None) as earlier:
        assert {mode for _, _, mode in cast("dict[str, tuple[int, int, int]]", earlier.hear()).values()} == {
            0o700,
            0o600,
        }
        with running(record, shared, (GROUP,), GROUP) as later:
            later.hear()
            report = in_child(read, shared, READER, GROUP)
            assert (report["problems"], report["counts"]) == ([], {"shop": 2})


def test_a_process_that_does_not_set_the_group_records_for_the_group_too(shared: Path) -> None:
    with running(record, shared, (GROUP,), GROUP) as first:
        first.hear()
        with running(record, shared, (), None) as second:
            second.hear()
            assert in_child(read, shared, READER, GROUP)["counts"] == {"shop": 2}


def find_without_membership(place: Path) -> Report:
    found = find_folder("shop", shared=True, directory=str(place), group=GROUP)()
    assert found is not None
    Recorder("shop", lambda: found).counter(REQUESTS, ("/",)).add(1.0)
    return {"path": found.path, "mode": stat.S_IMODE(os.stat(found.path).st_mode)}


def test_an_app_that_is_no_member_records_privately(shared: Path) -> None:
    report = in_child(find_without_membership, shared, APP)
    assert report == {"path": str(shared / "shop"), "mode": 0o700}


def test_a_folder_of_another_owner_is_not_believed(shared: Path) -> None:
    """A15: who prepares a folder for the sidecar to find is not the user that it was told to believe."""
    (shared / "shop").mkdir(mode=0o755)
    with pytest.raises(
        FolderError, match=f"must belong to user {APP} and be writable by nobody else, but belongs to user 0"
    ):
        SharedFolder(str(shared / "shop"), APP)


def test_a_folder_that_others_can_write_to_is_not_believed(shared: Path) -> None:
    (shared / "shop").mkdir()
    os.chown(shared / "shop", APP, GROUP)
    (shared / "shop").chmod(0o2770)
    with pytest.raises(FolderError, match="writable by nobody else"):
        SharedFolder(str(shared / "shop"), APP)


def test_a_file_of_another_owner_in_the_folder_is_not_read(shared: Path) -> None:
    folder = Folder(str(shared.parent / "own"))
    folder.write("mine", b"")
    os.chown(folder.path, APP, APP)
    with pytest.raises(FolderError, match=f"mine is not a file that belongs to user {APP} alone"):
        SharedFolder(folder.path, APP).open("mine")
