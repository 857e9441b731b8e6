"""A recorder without a folder: what it counts, caps, refuses to overflow, and takes along."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stethoscope import names
from stethoscope.names import Kind, Merge, Metric
from stethoscope.store import catalogue
from stethoscope.store import recorder as recorders
from stethoscope.store import series as series_module
from stethoscope.store.distribution import Distribution
from stethoscope.store.folder import Folder
from stethoscope.store.place import Place, settle
from stethoscope.store.recorder import Recorder
from stethoscope.store.segment import private_segment
from stethoscope.store.series import HistogramSeries, Scalar
from stethoscope.store.snapshot import Snapshot
from tests.store.images import COUNTER, GAUGES, HISTOGRAM
from tests.store.striking import raise_at_call

FULL = 2**32 - 1
FLAVOURS = ["with the interpreter lock", "with locks of its own"]


@pytest.fixture(params=FLAVOURS)
def recorder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """In private memory; also as interpreters without a global lock have it. Keeps no house: no thread outlives a test."""
    if request.param == FLAVOURS[1]:
        monkeypatch.setattr(catalogue, "make_scalar", series_module._LockedScalar)
        monkeypatch.setattr(catalogue, "make_histogram", series_module._LockedHistogramSeries)
        monkeypatch.setattr(recorders, "make_request", series_module._LockedRequestSeries)
    monkeypatch.setattr(Recorder, "_hire_housekeeper", lambda self: None)
    return Recorder("test", lambda: None, series_cap=10)


def found(snapshot: Snapshot, metric: names.Metric) -> dict[str, float]:
    """By label, ``*`` for the overflow series: a value, or a histogram's count."""
    return {
        "*" if one.overflow else one.labels[0] if one.labels else "": (
            one.value.count if isinstance(one.value, Distribution) else one.value
        )
        for one in snapshot.family(metric).series
    }


def set_count(series: HistogramSeries, count: int, new: int) -> None:
    """Make the only count that has been made so often another one, in its cell and in its explicit bucket."""
    first = min(filter(None, series.blocks))
    (lane,) = [index for index in range(first, first + 64) if series.lanes[index] == count]
    (long,) = [index for index in range(series.bucket, series.bucket + 16) if series.longs[index] == count]
    series.lanes[lane] = series.longs[long] = new


def cells_of(snapshot: Snapshot, metric: names.Metric) -> list[int]:
    """Sums of the cells of a histogram's series."""
    values = [one.value for one in snapshot.family(metric).series]
    return [sum(value.cells.values()) for value in values if isinstance(value, Distribution)]


def test_a_count_of_two_to_the_32_goes_on_in_a_fresh_block(recorder: Recorder) -> None:
    series = recorder.histogram(HISTOGRAM, ("a",))
    series.record(0.05)
    set_count(series, 1, FULL - 1)
    for _ in range(5):
        series.record(0.05)
    series.record_repeating(0.05)
    series.record_repeating(0.05)
    snapshot = recorder.snapshot()
    assert found(snapshot, HISTOGRAM) == {"a": FULL - 1 + 7}
    assert cells_of(snapshot, HISTOGRAM) == [FULL - 1 + 7]


def test_the_three_series_of_a_request_go_on_beyond_two_to_the_32(recorder: Recorder) -> None:
    labels = ("GET", "/", "200", "http", "")
    request = recorder.request(labels)
    for _ in range(3):
        request.record(0.05, 10, 20)
    duration, received, sent = (
        recorder.histogram(metric, labels)
        for metric in (names.REQUEST_DURATION, names.REQUEST_SIZE, names.RESPONSE_SIZE)
    )
    for series in (duration, received, sent):
        set_count(series, 3, FULL)
    for _ in range(4):
        request.record(0.05, 10, 20)
    snapshot = recorder.snapshot()
    for metric in (names.REQUEST_DURATION, names.REQUEST_SIZE, names.RESPONSE_SIZE):
        assert found(snapshot, metric) == {"GET": FULL + 4}
        assert cells_of(snapshot, metric) == [FULL + 4]


def test_a_request_without_a_body_has_no_received_size(recorder: Recorder) -> None:
    recorder.request(("GET", "/", "200", "http", "")).record(0.05, 0, 20)
    snapshot = recorder.snapshot()
    assert [found(snapshot, metric) for metric in (names.REQUEST_SIZE, names.RESPONSE_SIZE)] == [{}, {"GET": 1}]


def test_label_sets_beyond_the_cap_share_one_series_and_the_totals_are_exact(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """A14: 2,000 invented label values, in every kind of metric."""
    for number in range(2000):
        recorder.counter(COUNTER, (f"/{number}",)).add(1.0)
        recorder.histogram(HISTOGRAM, (f"/{number}",)).record(0.05)
        recorder.gauge(GAUGES[Merge.LIVESUM], (f"/{number}",)).add(1.0)
    size = recorder._here().segment.used
    for number in range(2000, 4000):
        recorder.counter(COUNTER, (f"/{number}",)).add(1.0)
        recorder.histogram(HISTOGRAM, (f"/{number}",)).record(0.05)
    snapshot = recorder.snapshot()
    for metric, total in ((COUNTER, 4000), (HISTOGRAM, 4000), (GAUGES[Merge.LIVESUM], 2000)):
        values = found(snapshot, metric)
        assert len(values) == 11
        assert sum(values.values()) == total
        assert values["*"] == total - 10
    assert found(snapshot, names.OVERFLOWED_SERIES)[COUNTER.name] == 3990
    for _ in range(10):
        recorder.counter(COUNTER, ("/3999",)).add(1.0)
    assert found(recorder.snapshot(), names.OVERFLOWED_SERIES)[COUNTER.name] == 4000  # as its help says
    assert recorder._here().segment.used == size
    told = [record.getMessage().split()[0] for record in caplog.records]
    assert sorted(told) == sorted([COUNTER.name, HISTOGRAM.name, GAUGES[Merge.LIVESUM].name])


def test_threads_lose_no_increment(recorder: Recorder) -> None:
    """B10: new series, new blocks and old ones, all at once."""
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for number in range(3000):
            recorder.counter(COUNTER, (f"/{number % 9}",)).add(1.0)
            recorder.histogram(HISTOGRAM, (f"/{number % 9}",)).record(number * 0.001)
            recorder.gauge(GAUGES[Merge.LIVESUM], ("a",)).add(1.0 if number % 2 else -1.0)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    snapshot = recorder.snapshot()
    assert sum(found(snapshot, COUNTER).values()) == 8 * 3000
    assert sum(found(snapshot, HISTOGRAM).values()) == 8 * 3000
    assert found(snapshot, GAUGES[Merge.LIVESUM]) == {"a": 0}


def test_threads_that_record_while_the_recorder_moves_again_and_again_lose_next_to_nothing(
    recorder: Recorder, tmp_path: Path
) -> None:
    """B38: and no header or record is ever written over."""
    over = threading.Event()
    counts = [0] * 4

    def work(own: int) -> None:
        while not over.is_set():
            recorder.counter(COUNTER, (f"/{counts[own] % 9}",)).add(1.0)
            recorder.histogram(HISTOGRAM, (f"/{own}",)).record(counts[own] % 100 * 0.001)
            counts[own] += 1

    threads = [threading.Thread(target=work, args=(own,)) for own in range(4)]
    for thread in threads:
        thread.start()
    for number in range(10):
        (tmp_path / str(number)).mkdir(0o700)
        recorder.move(lambda number=number: Folder(str(tmp_path / str(number))))
    over.set()
    for thread in threads:
        thread.join()
    snapshot = recorder.snapshot()
    # A thread that was between finding its place and writing there loses that one record.
    assert sum(counts) - 40 <= sum(found(snapshot, COUNTER).values()) <= sum(counts)
    assert sum(counts) - 40 <= sum(found(snapshot, HISTOGRAM).values()) <= sum(counts)
    assert found(snapshot, names.SKIPPED_SEGMENTS) == {"damaged": 0}
    assert [path.name for path in tmp_path.glob("*/*.segment") if path.parent.name != "9"] == []


@pytest.mark.skipif(series_module.FREE_THREADED, reason="there, whoever records holds the series' lock")
def test_a_thread_that_was_about_to_write_when_its_series_was_detached_writes_into_no_header() -> None:
    """B38: the instant between binding and writing, in which another thread begins to move."""
    segment = private_segment()
    before = bytes(segment.memory[:512])

    def bind_and_be_detached(series: Scalar | HistogramSeries, block: int = 0) -> bool:
        series.attach(segment, 8)
        series.detach()
        return True

    Scalar(bind_and_be_detached).add(1.0)
    Scalar(bind_and_be_detached).set(1.0)
    many = Metric("many", Kind.HISTOGRAM, "", ("label",), "seconds", tuple(number / 100 for number in range(1, 301)))
    HistogramSeries(many, bind_and_be_detached).record(2.5)
    for value in (0.0, 0.05, 5.0):
        HistogramSeries(HISTOGRAM, bind_and_be_detached).record(value)
        HistogramSeries(HISTOGRAM, bind_and_be_detached).record_repeating(value)
    assert bytes(segment.memory[:512]) == before


@pytest.mark.skipif(series_module.FREE_THREADED, reason="there, whoever records holds the series' lock")
def test_a_thread_that_sets_a_gauge_when_it_is_detached_writes_into_no_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment when its series is set is written last, and asking for the time lets other threads run."""
    segment = private_segment()
    before = bytes(segment.memory[:64])
    series = Scalar(lambda _: False)
    series.attach(segment, 8)

    def time_of_another_thread() -> float:
        series.detach()
        return 1.0

    monkeypatch.setattr(series_module, "time", SimpleNamespace(time=time_of_another_thread))
    series.set(2.0)
    assert bytes(segment.memory[:64]) == before
    assert segment.words[8] == 2.0


def test_moving_takes_everything_along(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(0o700)
    recorder.counter(COUNTER, ("a",)).add(3.0)
    recorder.gauge(GAUGES[Merge.LIVESUM], ("a",)).add(2.0)
    recorder.gauge(GAUGES[Merge.MOSTRECENT], ("a",)).set(7.0)
    recorder.histogram(HISTOGRAM, ("a",)).record(0.05)
    before = recorder.snapshot()
    recorder.move(lambda: Folder(str(tmp_path / "store")), "renamed")
    recorder.gauge(GAUGES[Merge.LIVESUM], ("a",)).add(-1.0)
    recorder.histogram(HISTOGRAM, ("a",)).record(0.05)
    recorder.counter(COUNTER, ("b",)).add(1.0)
    after = recorder.snapshot()
    assert (before.service, after.service) == ("test", "renamed")
    assert found(before, names.PRIVATE_STORE) == {"": 1}
    assert found(after, names.PRIVATE_STORE) == {"": 0}
    assert found(after, COUNTER) == {"a": 3, "b": 1}
    assert found(after, HISTOGRAM) == {"a": 2}
    assert found(after, GAUGES[Merge.LIVESUM]) == {"a": 1}
    assert found(after, GAUGES[Merge.MOSTRECENT]) == {"a": 7}
    assert before.family(GAUGES[Merge.MOSTRECENT]) == after.family(GAUGES[Merge.MOSTRECENT])


def test_a_thread_that_can_not_be_started_is_told_of_and_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A5: too many threads, or an interpreter that is about to end."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    recorder = Recorder("test", lambda: None)
    recorder.counter(COUNTER, ("a",)).add(1.0)
    assert found(recorder.snapshot(), COUNTER) == {"a": 1}
    assert "can't start new thread" in caplog.text


def test_a_time_limit_that_strikes_while_series_are_made_leaves_no_lock_held_and_no_number_at_another_metric(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """B10: Celery's soft limits, RQ's timeouts and a server's SystemExit are raised by signal handlers, at any call."""
    monkeypatch.setattr(Recorder, "_hire_housekeeper", lambda self: None)
    call, struck = 1, True
    while struck:
        recorder = Recorder("test", lambda: None)
        recorder.counter(COUNTER, ("first",)).add(1.0)

        def record(recorder: Recorder = recorder) -> None:
            recorder.gauge(GAUGES[Merge.SUM], ("a",)).add(100.0)
            recorder.histogram(HISTOGRAM, ("a",)).record(0.05)

        struck = raise_at_call(call, record)
        # In another thread, which a lock that is still held would stop.
        survivor = threading.Thread(target=record, daemon=True)
        survivor.start()
        survivor.join(10)
        assert not survivor.is_alive(), f"struck at call {call}"
        recorder.counter(COUNTER, ("last",)).add(5.0)
        seen = recorder.snapshot()
        assert found(seen, COUNTER) == {"first": 1, "last": 5}, f"struck at call {call}"
        assert found(seen, GAUGES[Merge.SUM])["a"] in (100, 200), f"struck at call {call}"
        assert found(seen, HISTOGRAM)["a"] in (1, 2), f"struck at call {call}"
        assert found(seen, names.SKIPPED_SEGMENTS) == {"damaged": 0}
        call += 1
    assert call > 50


def test_a_signal_handler_that_records_while_the_segment_is_made_shares_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """B10: two segments, and blocks of the one would be looked for in the other."""
    monkeypatch.setattr(Recorder, "_hire_housekeeper", lambda self: None)
    interrupted = False

    def settle_interrupted(*arguments: Any) -> Place:
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            fresh.histogram(HISTOGRAM, ("a",)).record(0.05)
        return settle(*arguments)

    monkeypatch.setattr(recorders, "settle", settle_interrupted)
    fresh = Recorder("test", lambda: None)
    fresh.histogram(HISTOGRAM, ("a",)).record(5.0)
    fresh.histogram(HISTOGRAM, ("a",)).record(0.05)
    assert found(fresh.snapshot(), HISTOGRAM) == {"a": 3}


def test_a_move_leaves_no_descriptor_of_what_was_read_before(recorder: Recorder, tmp_path: Path) -> None:
    """B38: of other workers' segments, which would take up memory after they are deleted."""
    held = []
    for number in range(3):
        (tmp_path / str(number)).mkdir(0o700)
        recorder.move(lambda number=number: Folder(str(tmp_path / str(number))))
        recorder.counter(COUNTER, ("a",)).add(1.0)
        recorder.snapshot()
        held.append([path for path in opened() if path.startswith(str(tmp_path))])
    assert len(held[0]) == len(held[2]) > 0


def opened() -> Iterator[str]:
    """The files that this process has open."""
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the folder's own, by now
            yield str(descriptor.readlink())


def test_what_is_not_recorded_yet_is_zero_and_costs_nothing(recorder: Recorder) -> None:
    """B40."""
    assert recorder.counter(COUNTER, ("a",)).get() == 0
    assert recorder._place is None


def test_threads_that_ask_for_a_companion_at_once_get_the_same_made_once(recorder: Recorder) -> None:
    start, making, made, got = threading.Barrier(2), threading.Barrier(2), [], []

    def make() -> object:
        with contextlib.suppress(threading.BrokenBarrierError):
            making.wait(0.2)  # for a second one who makes it too
        made.append(object())
        return made[-1]

    def ask() -> None:
        start.wait()
        got.append(recorder.companion("key", make))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == made * 2
