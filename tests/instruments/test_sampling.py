"""Samples at a price that is kept."""

from __future__ import annotations

import time

import pytest

from stethoscope.instruments.machine.growth import Growth
from stethoscope.instruments.machine.process import ProcessVitals
from stethoscope.instruments.sampling import SHARE, Sample, Sampler
from stethoscope.names import DISK_IO_TIME, PROCESS_UPTIME
from stethoscope.store.recorder import Recorder


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_sample_that_costs_more_is_taken_less_often() -> None:
    cheap, dear = Sample(5.0, lambda: None), Sample(5.0, lambda: burn(0.02))
    for sample in (cheap, cheap, dear, dear):
        sample.take(100.0, lambda error: None)
    assert cheap.due == 105.0
    assert dear.due >= 100 + 0.02 / SHARE


def test_what_is_dear_once_is_taken_as_often_as_ever() -> None:
    """The first sample imports what it needs; and a busy machine makes one dear now and then."""
    costs = iter((0.05, 0.0, 0.0, 0.05, 0.0))
    sample = Sample(5.0, lambda: burn(next(costs)))
    for _ in range(5):
        sample.take(100.0, lambda error: None)
        assert sample.due == 105.0


def test_sample_that_fails_is_told_and_comes_again_and_does_not_keep_others_back() -> None:
    taken: list[str] = []
    failures: list[Exception] = []

    def fail() -> None:
        raise ZeroDivisionError

    Sampler([Sample(0.0, fail), Sample(0.0, lambda: taken.append("other"))], failures.append)()
    assert taken == ["other"]
    assert [type(failure) for failure in failures] == [ZeroDivisionError]


def counted(recorder: Recorder) -> float:
    return recorder.counter(DISK_IO_TIME, ("sda",)).get()


def test_growth_counts_what_came_after_the_first_look_or_all() -> None:
    for from_zero, expected in ((False, 5.0), (True, 15.0)):
        recorder = Recorder("test", lambda: None)
        growth = Growth(recorder, from_zero=from_zero)
        growth.follow(DISK_IO_TIME, ("sda",), 10.0)
        growth.follow(DISK_IO_TIME, ("sda",), 15.0)
        assert counted(recorder) == expected


def test_growth_goes_on_where_the_foreign_counter_began_anew_and_after_others_have_counted() -> None:
    recorder = Recorder("test", lambda: None)
    growth = Growth(recorder, from_zero=False)
    for reading in (10.0, 12.0, 1.0):
        growth.follow(DISK_IO_TIME, ("sda",), reading)
    assert counted(recorder) == 3.0
    growth.forget()
    growth.follow(DISK_IO_TIME, ("sda",), 100.0)
    assert counted(recorder) == 3.0


def test_growth_takes_a_foreign_counter_that_goes_back_a_little_for_one_that_stands_still() -> None:
    """As the kernel's time of waiting for disks does: taken for a reset, it would count once more what it had since boot."""
    recorder = Recorder("test", lambda: None)
    growth = Growth(recorder, from_zero=False)
    for reading in (250_000.0, 250_000.5, 250_000.25, 250_000.25, 250_001.0):
        growth.follow(DISK_IO_TIME, ("sda",), reading)
    assert counted(recorder) == 1.0


def test_a_worker_is_as_old_as_it_was_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, clock = Recorder("test", lambda: None), time.time
    vitals = ProcessVitals(recorder)
    vitals.sample()
    before = recorder.gauge(PROCESS_UPTIME).get()
    for step in (-3600.0, 86_400.0):
        monkeypatch.setattr(time, "time", lambda step=step: clock() + step)
        vitals.sample()
        assert before <= recorder.gauge(PROCESS_UPTIME).get() < before + 3600
