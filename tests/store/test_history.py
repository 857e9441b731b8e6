"""Windows: exact differences of snapshots, with a clock of the test's own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stethoscope.names import REQUEST_DURATION, Kind, Merge, Metric
from stethoscope.store.clock import since_boot
from stethoscope.store.distribution import Distribution
from stethoscope.store.folder import Folder
from stethoscope.store.history import LONGEST_WINDOW, History, needed
from stethoscope.store.housekeeper import STEP
from stethoscope.store.merge import Merger, Part
from stethoscope.store.reader import read_image
from stethoscope.store.recorder import Recorder
from stethoscope.store.snapshot import Snapshot
from stethoscope.store.totals import image_of
from tests.store.images import COUNTER, GAUGES, HISTOGRAM, Recorded, part, plain


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "store").mkdir(0o700)
    return Folder(str(tmp_path / "store"))


def snapshot(count: int, *, gauge: float = 0.0) -> Snapshot:
    """What a service shows that has counted so far, one observation in cell 50 each."""
    parts: list[Part] = [
        part({(COUNTER, "a"): float(count), (HISTOGRAM, "a"): {50: count}, (GAUGES[Merge.LIVESUM], "a"): (gauge, 1.0)})
    ]
    return Snapshot("test", 0.0, Merger().merge(parts)[0])


def counted(window: Snapshot) -> tuple[object, object]:
    found = plain(window.families)
    return found["counter", "a"], found["histogram", "a"]


def run(history: History, clock: Clock, seconds: float, per_second: int = 10) -> int:
    """Let time pass as a housekeeper does, at a steady rate."""
    start = int(clock.now)
    for now in range(start, int(start + seconds) + 1):
        clock.now = float(now)
        if history.due():
            history.put_aside(snapshot(now * per_second))
    return int(clock.now) * per_second


@pytest.mark.parametrize("seconds", [60, 300, 900])
def test_a_window_is_the_exact_difference_to_a_snapshot_of_that_age(seconds: int, folder: Folder) -> None:
    clock = Clock(1000.0)
    history = History(folder, clock)
    count = run(history, clock, 2000)
    window = history.window(snapshot(count), seconds)
    assert window.seconds is not None
    assert seconds <= window.seconds <= seconds + 75
    assert counted(window) == (10 * window.seconds, (50 * 10 * window.seconds, {50: 10 * window.seconds}))


def test_a_window_longer_than_the_history_is_as_long_as_the_history(folder: Folder) -> None:
    clock = Clock(1000.0)
    history = History(folder, clock)
    count = run(history, clock, 100)
    window = history.window(snapshot(count), 900)
    assert window.seconds == 100
    assert counted(window)[0] == 1000


def test_without_a_history_a_window_counts_from_the_beginning(folder: Folder) -> None:
    window = History(folder, Clock(5.0)).window(snapshot(7), 60)
    assert (window.seconds, counted(window)[0]) == (None, 7.0)


def test_another_process_reads_the_history_and_gauges_are_as_they_are_now(folder: Folder) -> None:
    clock = Clock(1000.0)
    count = run(History(folder, clock), clock, 200)
    window = History(Folder(folder.path), clock).window(snapshot(count, gauge=3.0), 60)
    assert plain(window.families)["gauge_livesum", "a"] == 3.0


def test_a_service_that_began_anew_has_no_negative_window(folder: Folder) -> None:
    """B5: the folder was wiped but for its history."""
    clock = Clock(1000.0)
    history = History(folder, clock)
    run(history, clock, 200)
    assert counted(history.window(snapshot(3), 60)) == (0.0, (0.0, {}))


@pytest.mark.parametrize("damage", [b"", b"\0" * 100, b"x\x9c" + b"\0" * 40])
def test_a_damaged_snapshot_is_passed_over_for_an_older_one(damage: bytes, folder: Folder) -> None:
    """A3."""
    clock = Clock(1000.0)
    history = History(folder, clock)
    count = run(history, clock, 200)
    whole = history.window(snapshot(count), 60).seconds
    assert whole is not None
    (used,) = Path(folder.path).glob(f"*-{int((clock.now - whole) * 1000)}.*.history")
    used.write_bytes(damage)
    window = History(folder, clock).window(snapshot(count), 60)
    assert window.seconds is not None
    assert window.seconds > whole
    assert counted(window)[0] == 10 * window.seconds


def test_a_series_that_the_cap_has_moved_into_the_overflow_series_counts_no_second_time_in_a_window() -> None:
    """A14: what it had counted before the window is no part of it there either."""
    both = {(COUNTER, label): 1000.0 for label in "abc"} | {(HISTOGRAM, label): {50: 10} for label in "abc"}
    families, _ = Merger().merge([part(both)])
    capped_families, _ = Merger().merge([Part(read_image(image_of(families, (), 1)), alive=False)])
    window = Snapshot("test", 1.0, capped_families).minus(Snapshot("test", 0.0, families), 60.0)
    assert plain(window.families) == {
        ("counter", "a"): 0.0,
        ("counter", "overflow"): 0.0,
        ("histogram", "a"): (0.0, {}),
        ("histogram", "overflow"): (0.0, {}),
    }


def test_a_series_that_was_made_again_after_it_moved_into_the_overflow_series_adds_nothing_to_a_window() -> None:
    """A14: a worker has it again, with less than it had when it moved."""
    both = {(COUNTER, label): 1000.0 for label in "abc"} | {(HISTOGRAM, label): {50: 10} for label in "abc"}
    again: Recorded = {
        (COUNTER, "b"): 5.0,
        (COUNTER, "c"): 0.0,
        (HISTOGRAM, "b"): {50: 1, 51: 2},
        (HISTOGRAM, "c"): {700: 1},
    }
    families, _ = Merger().merge([part(both)])
    later, _ = Merger().merge([Part(read_image(image_of(families, (), 1)), alive=False), part(again)])
    window = Snapshot("test", 1.0, later).minus(Snapshot("test", 0.0, families), 60.0)
    found = window.families["counter"].series, window.families["histogram"].series
    assert sum(one.value for one in found[0] if isinstance(one.value, float)) == 5
    distributions = [one.value for one in found[1] if isinstance(one.value, Distribution)]
    assert sum((Counter(one.cells) for one in distributions), Counter()) == {50: 1, 51: 2, 700: 1}
    assert sum(one.count for one in distributions) == 4


def test_a_window_over_a_change_of_bounds_counts_from_the_change() -> None:
    """B39: cells of other bounds are not the same cells."""
    changed = Metric("histogram", Kind.HISTOGRAM, "", ("label",), "seconds", (0.5,))
    before, _ = Merger().merge([part({(HISTOGRAM, "a"): {5: 100}})])
    after, _ = Merger().merge([part({(changed, "a"): {5: 10}})])
    window = Snapshot("test", 1.0, after).minus(Snapshot("test", 0.0, before), 60.0)
    assert plain(window.families) == {("histogram", "a"): (50.0, {5: 10})}


def test_snapshots_of_an_earlier_boot_that_has_no_name_are_not_used_and_are_deleted(folder: Folder) -> None:
    """B11: without /proc all boots look alike; a time that is still to come was none of this one's."""
    History(folder, Clock(5000.0)).put_aside(snapshot(1))
    clock = Clock(100.0)
    history = History(folder, clock)
    assert history.window(snapshot(7), 60).seconds is None
    assert history.due()
    history.put_aside(snapshot(2))
    assert [path.name.split("-")[1] for path in Path(folder.path).iterdir()] == ["100000.v1.history"]


def test_snapshots_of_an_earlier_boot_are_not_used_and_are_deleted(folder: Folder) -> None:
    """B11: ages are of one clock, which starts anew with the machine."""
    old = Path(folder.path) / "00000000-5000.v1.history"
    old.write_bytes(b"")
    clock = Clock(1000.0)
    history = History(folder, clock)
    assert history.due()
    history.put_aside(snapshot(1))
    assert not old.exists()
    assert not history.due()
    clock.now += STEP
    assert history.due()


def test_a_day_of_snapshots_leaves_at_most_thirty_files_and_an_hour_of_points(folder: Folder) -> None:
    """B6."""
    clock, most, points = Clock(1000.0), 0, 0
    history = History(folder, clock)
    for _ in range(400):
        clock.now += STEP
        history.put_aside(snapshot(1))
        kinds = Counter(name.rpartition(".")[2] for name in folder.names())
        most, points = max(most, kinds["history"]), max(points, kinds["point"])
    assert most <= 30
    assert 240 <= points <= 241


@given(steps=st.lists(st.floats(14, 40), max_size=200))
def test_what_is_kept_serves_every_window_that_all_would_serve(steps: list[float]) -> None:
    """At most a minute longer than asked for, however irregularly snapshots were put aside."""
    now, kept, everything = 0.0, list[float](), list[float]()
    for step in steps:
        now += step
        everything.append(now)
        kept = needed([*kept, now], now)
    assert kept == sorted(kept)
    assert len(kept) <= 30
    for seconds in (60, 300, LONGEST_WINDOW):
        best = max((stamp for stamp in everything if stamp <= now - seconds), default=None)
        found = max((stamp for stamp in kept if stamp <= now - seconds), default=None)
        if best is not None:
            assert found is not None
            assert best - found <= 60 + 40


def test_the_clock_goes_on() -> None:
    assert 0 < since_boot() <= since_boot()


def test_a_reset_is_where_windows_and_points_begin_for_everybody(folder: Folder) -> None:
    """Counters go on: only what is shown begins anew."""
    clock = Clock(1000.0)
    history = History(folder, clock)
    count = run(history, clock, 200)
    history.reset(snapshot(count))
    clock.now += 20
    elsewhere = History(Folder(folder.path), clock)
    for seconds in (60, 900, None):
        window = elsewhere.window(snapshot(count + 7), seconds)
        assert (window.seconds, counted(window)[0]) == (20.0, 7.0)
    assert elsewhere.points() == []
    later = run(elsewhere, clock, 400)
    assert counted(elsewhere.window(snapshot(later), None))[0] == later - count
    assert elsewhere.window(snapshot(later), 60).seconds == 64
    elsewhere.reset(snapshot(later))
    assert sum(name.endswith(".reset") for name in folder.names()) == 1


@pytest.mark.parametrize("put_aside_before", [True, False])
def test_the_first_point_after_a_reset_has_nothing_of_what_was_before(put_aside_before: bool, folder: Folder) -> None:
    clock, recorder = Clock(1000.0), Recorder("test", lambda: None)
    history = History(folder, clock)
    durations = recorder.histogram(REQUEST_DURATION, ("GET", "/", "200", "http", ""))
    if put_aside_before:
        history.put_aside(recorder.snapshot())
    for requests, step in ((10, history.reset), (4, history.put_aside)):
        clock.now += 10
        for _ in range(requests):
            durations.record(0.1)
        step(recorder.snapshot())
    assert [(one["seconds"], one["requests_per_second"]) for one in history.points()] == [(10.0, 0.4)]


def test_without_a_reset_all_counts_from_the_beginning(folder: Folder) -> None:
    clock = Clock(1000.0)
    history = History(folder, clock)
    count = run(history, clock, 200)
    window = history.window(snapshot(count), None)
    assert (window.seconds, counted(window)[0]) == (None, float(count))


def test_points_say_what_happened_in_each_step_and_outlive_the_process(folder: Folder) -> None:
    clock = Clock(1000.0)
    run(History(folder, clock), clock, 300)
    points = History(Folder(folder.path), clock).points(150)
    assert [point["seconds"] for point in points] == [14.0] * 11  # each is put aside as soon as it is due
    assert History(folder, clock).points(10_000)[0]["requests_per_second"] == 0.0


def test_a_damaged_point_is_left_out(folder: Folder) -> None:
    clock = Clock(1000.0)
    history = History(folder, clock)
    run(history, clock, 100)
    whole = len(history.points())
    next(Path(folder.path).glob("*.point")).write_bytes(b"\0")
    assert len(history.points()) == whole - 1
