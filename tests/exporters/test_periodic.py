"""When an exporter's thread does its work."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from stethoscope.exporters.periodic import Periodic

PATIENCE = 20.0
STEP = 0.05


class Work:
    """Notes when it was called; ``answers`` are what it does each time, and nothing from then on."""

    def __init__(self, *answers: Callable[[], float]) -> None:
        self._answers = iter(answers)
        self.times: list[float] = []
        self.called = threading.Condition()

    def __call__(self) -> float:
        with self.called:
            self.times.append(time.monotonic())
            self.called.notify_all()
        return next(self._answers, lambda: 0.0)()

    def wait_for(self, times: int) -> list[float]:
        with self.called:
            assert self.called.wait_for(lambda: len(self.times) >= times, PATIENCE)
            return self.times[:times]


def started(work: Work, interval: float = STEP) -> Periodic:
    periodic = Periodic("test", interval)
    periodic.start(work, lambda: None)
    return periodic


def test_beats_that_were_missed_are_left_out() -> None:
    late = threading.Event()
    work = Work(lambda: float(late.wait(6 * STEP)) * 0.0)
    periodic = started(work)
    first, *_, fourth = work.wait_for(4)
    assert periodic.close(PATIENCE)
    # An interval passes after the first is over, as between all others.
    assert fourth - first > 8.9 * STEP


def test_a_wish_to_wait_is_heard() -> None:
    work = Work(lambda: 8 * STEP)
    periodic = started(work)
    first, second = work.wait_for(2)
    assert periodic.close(PATIENCE)
    assert second - first > 7 * STEP


def test_work_is_done_once_more_at_the_end_and_not_after() -> None:
    work = Work()
    periodic = started(work, 3600.0)
    assert periodic.close(PATIENCE)
    assert periodic.close(PATIENCE)
    assert len(work.times) == 1


def test_closing_does_not_wait_longer_than_it_may() -> None:
    stuck = threading.Event()
    work = Work(lambda: float(stuck.wait(PATIENCE)))
    periodic = started(work)
    work.wait_for(1)
    assert not periodic.close(STEP)
    stuck.set()
    assert periodic.close(PATIENCE)


def test_a_forked_child_has_nothing_to_close() -> None:
    work = Work()
    periodic = started(work, 3600.0)
    child = os.fork()
    if child == 0:
        os._exit(0 if periodic.close(0.0) and not work.times else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert periodic.close(PATIENCE)
