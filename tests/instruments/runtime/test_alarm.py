"""An alarm rings when it was set to last, compiled and plain."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter

import pytest

from stethoscope.instruments.runtime import alarm
from stethoscope.instruments.runtime.alarm import PlainAlarm, make_alarm

MAKE = pytest.mark.parametrize("make", [make_alarm, PlainAlarm])
Make = Callable[[], PlainAlarm]


@MAKE
def test_it_rings_when_it_is_due_and_not_before(make: Make) -> None:
    clock = make()
    for seconds in (0.05, 0.001, 0.0):
        before = perf_counter()
        clock.set(seconds)
        assert clock.due == pytest.approx(clock.since + seconds)
        assert before <= clock.since <= perf_counter()
        clock.wait()
        assert perf_counter() >= clock.due - 0.0005


@MAKE
def test_set_again_it_rings_later_or_earlier_also_for_who_waits_already(make: Make) -> None:
    clock, rang = make(), []

    def wait() -> None:
        clock.wait()
        rang.append(perf_counter())

    clock.set(600.0)
    waiting = threading.Thread(target=wait)
    waiting.start()
    clock.set(0.3)  # earlier
    for _ in range(5):  # and later and later
        clock.set(0.3)
    waiting.join(60)
    assert rang[0] >= clock.due - 0.0005


@pytest.mark.skipif(alarm._compiled is None, reason="only what is compiled has one")
def test_its_descriptor_is_closed_with_it() -> None:
    before = clocks()
    clock = make_alarm()
    assert clocks() == before + 1
    del clock
    assert clocks() == before


def clocks() -> int:
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # that of the listing itself
            found += os.readlink(f"/proc/self/fd/{name}") == "anon_inode:[timerfd]"
    return found


def test_without_a_descriptor_it_is_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> PlainAlarm:
        raise OSError("Too many open files")

    monkeypatch.setattr(alarm, "_compiled", none_left)
    assert type(make_alarm()) is PlainAlarm
