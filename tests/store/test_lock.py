"""The lock that signal handlers do not leave held, on every Python: the version that needs it may not be at hand."""

from __future__ import annotations

import threading

from stethoscope.store.lock import CarefulLock
from tests.store.striking import raise_at_call


def is_free(lock: CarefulLock) -> bool:
    """In another thread: the lock is re-entrant."""
    got: list[bool] = []
    thread = threading.Thread(target=lambda: got.append(lock.acquire(timeout=0)))
    thread.start()
    thread.join()
    return got == [True]


def test_a_handler_that_raises_leaves_the_lock_free_wherever_it_strikes() -> None:
    """B10"""
    done: list[str] = []
    call, struck = 1, True
    while struck:
        lock = CarefulLock()

        def work(lock: CarefulLock = lock) -> None:
            with lock:
                done.append("inside")
            done.append("after")

        struck = raise_at_call(call, work)
        assert is_free(lock), f"struck at call {call}"
        call += 1
    assert call > 5
    assert done[-2:] == ["inside", "after"]


def test_it_is_entered_as_often_as_one_likes() -> None:
    lock = CarefulLock()
    with lock:
        with lock:
            assert not is_free(lock)
        assert not is_free(lock)
    assert is_free(lock)
