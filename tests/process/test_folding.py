"""The dead are counted exactly once, whoever folds them, and wherever that one dies."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from stethoscope import names
from stethoscope.store import folder as folders
from stethoscope.store.folder import SUFFIX, Folder
from stethoscope.store.leftovers import MOST
from stethoscope.store.reader import SegmentReader
from stethoscope.store.recorder import SERIES_CAP
from stethoscope.store.totals import TOTALS, fold, read_totals
from tests.process.children import running
from tests.process.stores import (
    ACTIVE,
    KEPT,
    REQUESTS,
    SECONDS,
    bury,
    gatherer_in,
    recorder_in,
    segments,
    skipped,
    total,
    value,
)

SYSTEM_CALLS = ("open", "rename", "unlink", "pread", "fstat", "listdir", "close")
KILLED = 9


def test_a_folder_that_dies_before_any_of_its_system_calls_loses_nothing_and_doubles_nothing(place: Path) -> None:
    """B5: crash-safe order, proven at each step."""
    with running(fold_and_die_at_each_step, place) as child:
        steps = child.hear()
    assert isinstance(steps, int)
    assert steps > 15
    for step in range(steps + 1):
        site = place / str(step)
        for _ in range(3):
            seen = gatherer_in(site).gather()
            assert [value(seen, REQUESTS, route) for route in ("/a", "/b", "/c")] == [13, 5, 100], f"step {step}"
            assert [value(seen, SECONDS, route) for route in ("/a", "/b", "/c")] == [13, 5, 100], f"step {step}"
            assert (total(seen, ACTIVE), total(seen, KEPT)) == (0, 3)
            # Somebody else dies meanwhile, so that the next one folds again.
            bury(site, {"/d": 1})
        assert len(segments(site)) <= 1


def fold_and_die_at_each_step(pipe: Connection, place: Path) -> None:
    """Fold once for each system call that folding makes, dying before it; says how many those are."""
    for step in range(1000):
        folder = Folder(str(place / str(step)))
        bury(place / str(step), {"/a": 3, "/b": 5}, active=2.0, kept=1.0)
        fold(folder, SERIES_CAP)
        bury(place / str(step), {"/a": 10}, active=1.0, kept=1.0)
        bury(place / str(step), {"/c": 100}, active=1.0, kept=1.0)
        child = os.fork()
        if child == 0:
            die_at(step)
            fold(folder, SERIES_CAP)
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != KILLED:
            pipe.send(step)
            return


def die_at(step: int) -> None:
    """End this process instead of making the system call with this number."""
    left = [step]

    def counted(call: Callable[..., object]) -> Callable[..., object]:
        def perform(*arguments: object, **options: object) -> object:
            if left[0] == 0:
                os._exit(KILLED)
            left[0] -= 1
            return call(*arguments, **options)

        return perform

    for name in SYSTEM_CALLS:
        setattr(os, name, counted(getattr(os, name)))


def leave_behind(place: Path) -> str:
    """A dead segment with 3 at /a that is in the totals already, and another one with 1 at /b that is not. The name of the first."""
    bury(place, {"/a": 3})
    (name,) = segments(place)
    copy = (place / name).read_bytes()
    fold(Folder(str(place)), SERIES_CAP)
    (place / name).write_bytes(copy)
    bury(place, {"/b": 1})
    return name


def test_what_a_folder_has_left_behind_is_not_counted_again_when_a_reader_looks_at_it_at_that_moment(
    place: Path,
) -> None:
    """B5: a dead segment that is in the totals already, locked for an instant by a reader that asks whether it lives."""
    left_behind = leave_behind(place)
    reader = os.open(place / left_behind, os.O_RDONLY)
    fcntl.flock(reader, fcntl.LOCK_SH)
    fold(Folder(str(place)), SERIES_CAP)
    os.close(reader)

    for _ in range(3):
        seen = gatherer_in(place).gather()
        assert (value(seen, REQUESTS, "/a"), value(seen, REQUESTS, "/b")) == (3, 1)


def test_what_a_folder_has_left_behind_is_not_counted_again_when_it_can_not_be_opened_for_a_while(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B5: a process that is out of descriptors folds."""
    left_behind = leave_behind(place)
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "open", failing_for(left_behind, errno.EMFILE))
        try:
            fold(Folder(str(place)), SERIES_CAP)
        except OSError:
            pass

    for _ in range(3):
        seen = gatherer_in(place).gather()
        assert (value(seen, REQUESTS, "/a"), value(seen, REQUESTS, "/b")) == (3, 1)


@pytest.mark.parametrize("moment", ["names", "open"])
def test_a_fold_between_a_readers_steps_loses_it_nothing(
    moment: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B5, B41: the totals were read before, the segments are listed or opened after it."""
    bury(place, {"/a": 3})
    fold(Folder(str(place)), SERIES_CAP)
    bury(place, {"/a": 10})
    gatherer, step = gatherer_in(place), getattr(Folder, moment)
    opened: list[str] = []

    def step_after_a_fold(self: Folder, *name: str) -> object:
        opened.extend(name or [SUFFIX])
        if opened[-1].endswith(SUFFIX):
            monkeypatch.setattr(Folder, moment, step)
            fold(Folder(str(place)), SERIES_CAP)
        return step(self, *name)

    monkeypatch.setattr(Folder, moment, step_after_a_fold)
    assert value(gatherer.gather(), REQUESTS, "/a") == 13
    assert segments(place) == []


def test_segments_that_can_not_be_deleted_are_counted_once_fold_after_fold(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B5: a folder that has become append-only, say."""
    monkeypatch.setattr(Folder, "remove", lambda self, name: None)
    for number in range(1, 5):
        bury(place, {"/a": 3})
        assert fold(Folder(str(place)), SERIES_CAP) == 1
        assert value(gatherer_in(place).gather(), REQUESTS, "/a") == 3 * number


def failing_for(name: str, error: int) -> Callable[[Folder, str], int]:
    """`Folder.open` as it is for a process that cannot open one file."""
    whole = Folder.open

    def open_or_fail(self: Folder, wanted: str) -> int:
        if wanted == name:
            raise OSError(error, os.strerror(error), name)
        return whole(self, wanted)

    return open_or_fail


def test_totals_that_can_not_be_opened_for_a_while_are_not_replaced_by_totals_without_them(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B5: a process that is out of descriptors folds."""
    bury(place, {"/a": 3})
    fold(Folder(str(place)), SERIES_CAP)
    bury(place, {"/b": 1})
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "open", failing_for(TOTALS, errno.EMFILE))
        with pytest.raises(OSError, match="Too many open files"):
            fold(Folder(str(place)), SERIES_CAP)

    assert value(gatherer_in(place).gather(), REQUESTS, "/a") == 3


def test_a_reader_that_can_not_open_the_totals_for_a_while_goes_on_with_those_it_had(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B5: a process that is out of descriptors scrapes."""
    bury(place, {"/a": 3})
    gatherer = gatherer_in(place)
    gatherer.gather()
    gatherer.gather()
    monkeypatch.setattr(Folder, "open", failing_for(TOTALS, errno.EMFILE))

    assert value(gatherer.gather(), REQUESTS, "/a") == 3


def test_the_dead_do_not_come_to_life_while_they_are_folded(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """B4: gauges of the dead vanish, and stay away for a reader that looks on while another folds."""
    bury(place, {"/a": 3}, active=7.0)
    seen = []
    write = Folder.write

    def write_while_another_reads(self: Folder, name: str, data: bytes) -> None:
        monkeypatch.setattr(folders.Folder, "write", write)
        with running(look, place) as reader:
            seen.append(reader.hear())
        write(self, name, data)

    monkeypatch.setattr(folders.Folder, "write", write_while_another_reads)
    fold(Folder(str(place)), SERIES_CAP)

    assert seen == [(3, 0, 0)]


def look(pipe: Connection, place: Path) -> None:
    snapshot = gatherer_in(place).gather()
    pipe.send((value(snapshot, REQUESTS, "/a"), total(snapshot, ACTIVE), value(snapshot, names.WORKERS)))


def test_a_process_forked_while_its_parent_folds_does_not_keep_others_from_folding(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A16: a forked child has the descriptors of its parent, and with them the locks."""
    bury(place, {"/a": 3})
    with running(fork_while_folding, place) as parent:
        assert parent.hear() == "folded"
        bury(place, {"/a": 10})
        assert fold(Folder(str(place)), SERIES_CAP) == 1
        parent.say("end")
    assert value(gatherer_in(place).gather(), REQUESTS, "/a") == 13


def fork_while_folding(pipe: Connection, place: Path) -> None:
    write, children = Folder.write, []

    def fork_and_write(self: Folder, name: str, data: bytes) -> None:
        child = os.fork()
        if child == 0:
            threading.Event().wait(60)
            os._exit(0)
        children.append(child)
        write(self, name, data)

    folders.Folder.write = fork_and_write  # type: ignore[method-assign]
    fold(Folder(str(place)), SERIES_CAP)
    pipe.send("folded")
    pipe.recv()
    os.kill(children[0], KILLED)


def test_damaged_totals_cost_their_own_counts_and_nothing_else(place: Path) -> None:
    """A3: the file of totals, zeroed."""
    bury(place, {"/a": 3})
    fold(Folder(str(place)), SERIES_CAP)
    (place / TOTALS).write_bytes(bytes(4096))
    bury(place, {"/b": 1})
    for _ in range(3):
        seen = gatherer_in(place).gather()
        assert (value(seen, REQUESTS, "/a"), value(seen, REQUESTS, "/b")) == (0, 1)


def test_totals_of_which_a_part_is_damaged_are_counted_as_such(place: Path) -> None:
    """A3: a flipped bit, which costs what comes after it."""
    bury(place, {"/a": 3})
    fold(Folder(str(place)), SERIES_CAP)
    data = (place / TOTALS).read_bytes()
    (place / TOTALS).write_bytes(data.replace(b'"/a"', b'"/A"'))
    seen = gatherer_in(place).gather()
    assert (total(seen, REQUESTS), skipped(seen)) == (0, {"damaged": 1})


def test_no_counter_goes_back_for_any_reader_while_others_fold(place: Path) -> None:
    """B5: several processes read and fold at once while workers die as fast as they can."""
    with ExitStack() as stack:
        readers = [stack.enter_context(running(read_sixty_times, place)) for _ in range(3)]
        dead = 0
        while not all(reader.has_spoken() for reader in readers):
            if len(segments(place)) < 8:
                bury(place, {"/a": 1, "/b": 2}, active=1.0, kept=1.0)
                dead += 1
        assert [reader.hear() for reader in readers] == [[], [], []]
    seen = gatherer_in(place).gather()
    assert (value(seen, REQUESTS, "/a"), value(seen, SECONDS, "/b"), total(seen, KEPT)) == (dead, 2 * dead, dead)


def read_sixty_times(pipe: Connection, place: Path) -> None:
    gatherer, before, complaints = gatherer_in(place), (0.0, 0.0, 0.0), []
    for _ in range(60):
        seen = gatherer.gather()
        now = (value(seen, REQUESTS, "/a"), value(seen, SECONDS, "/b"), total(seen, KEPT))
        if any(later < earlier for later, earlier in zip(now, before, strict=True)):
            complaints.append(f"{before} -> {now}")
        if total(seen, ACTIVE):
            complaints.append("the dead are active")
        before = now
    pipe.send(complaints)


def test_two_hundred_recycles_leave_one_file_and_a_scrape_as_quick_as_at_first(place: Path) -> None:
    """B6: file growth and slow scrapes with recycling."""
    gatherer, sizes = gatherer_in(place), []
    for _ in range(200):
        bury(place, {f"/{number}": 1 for number in range(20)})
        seen = gatherer.gather()
        sizes.append(sum(file.stat().st_blocks for file in place.iterdir()))
        assert len(segments(place)) == 0
    assert value(seen, REQUESTS, "/7") == 200
    assert sizes[-1] <= sizes[1]
    assert sorted(file.name for file in place.iterdir()) == ["fold.lock", TOTALS]
    kept = read_totals(Folder(str(place)))
    assert kept is not None
    assert len(kept.index.folded) == 1


def test_recorders_in_two_folders_do_not_see_each_other(place: Path) -> None:
    """A17: two services below one place."""
    for name, count in (("one", 1.0), ("two", 2.0)):
        with running(record_once, place / name, count) as child:
            child.hear()
    assert [value(gatherer_in(place / name).gather(), REQUESTS, "/a") for name in ("one", "two")] == [1, 2]


def record_once(pipe: Connection, place: Path, count: float) -> None:
    recorder_in(place).counter(REQUESTS, ("/a",)).add(count)
    pipe.send("recorded")


def test_no_series_goes_back_beyond_the_cap_when_one_of_its_workers_ends(place: Path) -> None:
    """A14, B5: whoever folds, and windows say that nothing has happened."""
    bury(place, {"/a": 1, "/b": 1})
    gatherer = gatherer_in(place, cap=2)
    gatherer.gather()
    with running(record_once_and_stay, place, "/x") as worker:
        worker.hear()
        bury(place, {"/x": 1000})
        before = gatherer.gather()
        assert [value(gatherer_in(place, cap=2).gather(), REQUESTS, "/x") for _ in range(2)] == [1001, 1001]
        bury(place, {"/x": 1})
        fold(Folder(str(place)), 2)
        after = gatherer.gather()
        assert value(after, REQUESTS, "/x") == 1002
        assert total(after.minus(before, 15.0), REQUESTS) == 1


def test_a_canary_that_ends_takes_no_totals_along(place: Path) -> None:
    """B39: it had other bounds, and the workers that go on have those of the totals."""
    bury(place, {"/a": 1000})
    gatherer = gatherer_in(place)
    gatherer.gather()
    with running(record_once_and_stay, place) as worker:
        worker.hear()
        with running(be_a_canary, place) as canary:
            canary.hear()
            assert value(gatherer.gather(), SECONDS, "/a") == 1
        for reader in (gatherer, gatherer, gatherer_in(place)):
            assert value(reader.gather(), SECONDS, "/a") == 1001


def be_a_canary(pipe: Connection, place: Path) -> None:
    recorder_in(place).histogram(SECONDS._replace(bounds=(0.5,)), ("/a",)).record(0.05)
    pipe.send("recorded")
    pipe.recv()


def test_a_reader_keeps_files_of_the_living_open_and_none_of_the_dead(place: Path) -> None:
    """B5: a folder in which nobody can fold, so that the dead stay."""
    for _ in range(20):
        bury(place, {"/a": 1})
    gatherer = gatherer_in(place)
    with running(record_once_and_stay, place) as living, Folder(str(place)).exclusive("fold"):
        living.hear()
        seen = [value(gatherer.gather(), REQUESTS, "/a") for _ in range(2)]
        held = [name for name in opened(place) if name.endswith(SUFFIX)]
    assert seen == [21, 21]
    assert len(held) == 1


def record_once_and_stay(pipe: Connection, place: Path, route: str = "/a") -> None:
    recorder = recorder_in(place)
    recorder.counter(REQUESTS, (route,)).add(1.0)
    recorder.histogram(SECONDS, (route,)).record(0.05)
    pipe.send("recorded")
    pipe.recv()


def opened(place: Path) -> Iterator[str]:
    """The files of a folder that this process has open."""
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder's own, by now
            name = str(descriptor.readlink())
            if name.startswith(f"{place}{os.sep}"):
                yield name


def test_more_dead_than_a_process_may_open_files_are_read_and_folded(place: Path) -> None:
    """B5: jobs that ended while nobody looked took all descriptors of the first that did."""
    for _ in range(60):
        bury(place, {"/a": 1})
    with running(read_with_few_descriptors, place) as reader:
        assert reader.hear() == (60, {}, 0)


def read_with_few_descriptors(pipe: Connection, place: Path) -> None:
    gatherer = gatherer_in(place)
    used = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 8, used + 8))
    seen = gatherer.gather()
    pipe.send((value(seen, REQUESTS, "/a"), skipped(seen), len(segments(place))))


def test_a_reader_that_can_not_list_the_folder_goes_on_with_what_it_knows(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B5: a process that is out of descriptors scrapes, as all it knew of was folded, deleted, or is still there."""
    gatherer = gatherer_in(place)
    for route in ("/a", "/b"):
        bury(place, {route: 3})
    with Folder(str(place)).exclusive("fold"):
        gatherer.gather()
    (place / segments(place)[0]).unlink()

    def no_names(self: Folder) -> list[str]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(Folder, "names", no_names)
    seen = gatherer.gather()
    assert (total(seen, REQUESTS), skipped(seen)) == (3, {"unreadable": 1})


def test_whoever_starts_folds_what_many_short_processes_have_left(place: Path) -> None:
    """B6: each ends before its first round of housekeeping, and nobody reads."""
    for _ in range(MOST + 1):
        with running(record_once, place, 1.0) as job:
            job.hear()
    assert len(segments(place)) == MOST + 1
    with running(record_once, place, 1.0) as job:
        job.hear()
    assert len(segments(place)) == 1
    assert value(gatherer_in(place).gather(), REQUESTS, "/a") == MOST + 2


def test_what_is_left_to_the_next_folder_by_one_that_folds_a_few_is_counted_once(place: Path) -> None:
    """B5."""
    for _ in range(5):
        bury(place, {"/a": 1})
    for left in (3, 1, 0):
        fold(Folder(str(place)), SERIES_CAP, at_most=2)
        assert len(segments(place)) == left
        with Folder(str(place)).exclusive("fold"):
            assert value(gatherer_in(place).gather(), REQUESTS, "/a") == 5


def test_on_a_full_disk_the_dead_make_room_for_their_own_totals(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """B5: folding needs room, and only folding makes some. Whoever reads them meanwhile misses nothing."""
    for _ in range(3):
        with running(record_once, place, 1.0) as job:
            job.hear()
    with Folder(str(place)).exclusive("fold"):
        reader = SegmentReader(os.open(place / segments(place)[0], os.O_RDONLY))
        before = reader.read()
    write, sizes = Folder.write, []

    def write_where_there_is_room(self: Folder, name: str, data: bytes) -> None:
        sizes.append([(place / segment).stat().st_blocks * 512 for segment in segments(place)])
        if sum(sizes[-1]) > 3 * 4096:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        assert reader.read().data == before.data
        write(self, name, data)

    monkeypatch.setattr(Folder, "write", write_where_there_is_room)
    assert fold(Folder(str(place)), SERIES_CAP) == 3
    assert len(sizes) == 2
    assert (segments(place), value(gatherer_in(place).gather(), REQUESTS, "/a")) == ([], 3)
    reader.close()


def test_nothing_is_appended_to_a_segment_that_its_writer_has_let_go_of(place: Path) -> None:
    """B5: readers take it for dead, and a folder may cut off what is behind its records."""
    claim = Folder(str(place)).create_segment()
    claim.segment.append_metric(REQUESTS)
    word = claim.segment.append_series(0, b'["/a"]', 0.0, overflow=False)
    claim.release()
    with pytest.raises(OSError, match="let go of"):
        claim.segment.append_series(0, b'["/b"]', 0.0, overflow=False)
    Folder(str(place)).shorten(claim.name, claim.segment.used)
    claim.segment.words[word] += 1.0
    assert value(gatherer_in(place).gather(), REQUESTS, "/a") == 1
