"""What is worked out late is worked out in any thread, whatever it is made of."""

from __future__ import annotations

from threading import Barrier, Thread

from stethoscope.names import REQUEST_DURATION
from stethoscope.store.buckets import buckets_for
from stethoscope.store.distribution import Distribution, Packed, together

PATIENCE_SECONDS = 60
BUCKETS = buckets_for(REQUEST_DURATION)


class Empty(Distribution):
    def __init__(self) -> None:
        super().__init__(BUCKETS, {}, 0.0)

    def packed(self) -> Packed | None:
        return {}


class Meeting(Empty):
    """Reckoned only when the other thread is in the midst of its own reckoning too."""

    def __init__(self, barrier: Barrier) -> None:
        super().__init__()
        self._barrier = barrier

    def packed(self) -> Packed | None:
        self._barrier.wait(PATIENCE_SECONDS)
        return {}


def test_a_difference_of_sums_and_a_sum_of_differences_do_not_wait_for_each_other() -> None:
    both = Barrier(2)
    difference = Meeting(both).minus(together(BUCKETS, (Empty(), Empty())))
    total = together(BUCKETS, (Meeting(both), Empty().minus(Empty())))
    threads = [Thread(target=one.packed, daemon=True) for one in (difference, total)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert not any(thread.is_alive() for thread in threads)


def test_it_is_worked_out_once() -> None:
    barrier = Barrier(1)
    total = together(BUCKETS, (Meeting(barrier), Empty()))
    assert total.packed() is total.packed()
