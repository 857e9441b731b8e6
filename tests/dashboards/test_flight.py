"""One result for those who overlap."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from stethoscope.dashboards.flight import Flight

_SECONDS = 10


class Slow:
    """Makes numbers, one when it is let; tells when it began."""

    def __init__(self) -> None:
        self.began = threading.Semaphore(0)
        self.let = threading.Semaphore(0)
        self.made = 0

    def __call__(self) -> int:
        self.began.release()
        assert self.let.acquire(timeout=_SECONDS)
        self.made += 1
        return self.made


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


def test_those_who_ask_while_it_is_made_get_the_same(threads: ThreadPoolExecutor) -> None:
    slow = Slow()
    flight = Flight(slow)
    first = threads.submit(flight.ask().result)
    assert slow.began.acquire(timeout=_SECONDS)
    others = [threads.submit(flight.ask().result) for _ in range(5)]
    slow.let.release(2)
    assert [answer.result(_SECONDS) for answer in (first, *others)] == [1] * 6
    assert slow.made == 1


def test_who_asks_after_it_was_made_gets_a_newer_one() -> None:
    """A page is never older than its request, though others still read the older one."""
    numbers = count(1)
    flight = Flight(lambda: next(numbers))
    early = flight.ask()
    assert early.result() == 1
    late = flight.ask()
    assert late.result() == 2
    late.leave()
    early.leave()


def test_asking_counts_from_the_moment_of_asking() -> None:
    """Who had to wait for a thread shares what was made meanwhile."""
    numbers = count(1)
    flight = Flight(lambda: next(numbers))
    first, waiting = flight.ask(), flight.ask()
    assert (first.result(), waiting.result()) == (1, 1)


def test_an_error_goes_to_one_and_the_next_tries_again() -> None:
    answers: list[int | Exception] = [OSError("gone"), 7]

    def make() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    flight = Flight(make)
    first, second = flight.ask(), flight.ask()
    with pytest.raises(OSError, match="gone"):
        first.result()
    assert second.result() == 7


def test_nothing_is_kept_when_all_have_left() -> None:
    class Big:
        pass

    flight = Flight(Big)
    one, other = flight.ask(), flight.ask()
    made = weakref.ref(one.result())
    one.leave()
    one.leave()
    gc.collect()
    assert made() is not None
    other.leave()
    gc.collect()
    assert made() is None
