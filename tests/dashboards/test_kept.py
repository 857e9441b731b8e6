"""Answers are ready for who asks again, never too old, and made for nobody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from stethoscope.dashboards.api.kept import ANEW, LOOKING, OLDEST, Kept


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Numbers:
    """Makes 1, 2, 3, … for who asks, and can be told to fail, or that there is no such thing."""

    def __init__(self) -> None:
        self.made = 0
        self.replaced: list[int | None] = []
        self.fails: Exception | None = None
        self.gone = False

    def __call__(self, before: int | None, older: float) -> int | None:
        self.replaced.append(before)
        if self.fails:
            raise self.fails
        self.made += 1
        return None if self.gone else self.made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[Exception]:
    return []


@pytest.fixture
def kept(clock: Clock, told: list[Exception], monkeypatch: pytest.MonkeyPatch) -> Kept[int]:
    """Without its thread: the tests call `turn`."""
    monkeypatch.setattr(Kept, "_look_after", lambda self: None)
    return Kept(told.append, clock)


def test_an_answer_is_given_again_until_it_is_too_old(kept: Kept[int], clock: Clock) -> None:
    numbers = Numbers()
    assert kept.get("asked") is None
    assert kept.get_or_make("asked", numbers) == 1
    clock.now += OLDEST * 0.99
    assert kept.get("asked") == kept.get_or_make("asked", numbers) == 1
    assert kept.get("something else") is None
    clock.now += OLDEST * 0.02
    assert kept.get("asked") is None
    assert kept.get_or_make("asked", numbers) == 2
    assert numbers.replaced == [None, None]


def test_who_goes_on_asking_never_waits(kept: Kept[int], clock: Clock) -> None:
    numbers, ages = Numbers(), []
    kept.get_or_make("asked", numbers)
    made_at = {1: clock.now}
    for _ in range(100):
        clock.now += 0.2
        made = numbers.made
        kept.turn()
        if numbers.made > made:
            made_at[numbers.made] = clock.now
        answer = kept.get("asked")
        assert answer is not None
        ages.append(clock.now - made_at[answer])
    assert max(ages) < OLDEST
    assert numbers.made == pytest.approx(20 / ANEW, abs=5), "about once in so many seconds"
    assert numbers.replaced[1:] == list(range(1, numbers.made)), "each is given what it replaces"


def test_nothing_is_made_for_who_has_stopped_asking(kept: Kept[int], clock: Clock) -> None:
    numbers, others = Numbers(), Numbers()
    kept.get_or_make("asked", numbers)
    kept.get_or_make("other", others)
    clock.now += LOOKING * 0.9
    kept.get("other")
    assert kept.turn() is not None
    clock.now += LOOKING * 0.2
    assert kept.turn() is not None
    assert (numbers.made, others.made) == (2, 3)
    clock.now += LOOKING
    assert kept.turn() is None
    assert kept.get("asked") is kept.get("other") is None
    assert (numbers.made, others.made) == (2, 3)


def test_a_turn_says_when_the_next_is_due(kept: Kept[int], clock: Clock) -> None:
    kept.get_or_make("a", Numbers())
    clock.now += ANEW / 2
    kept.get_or_make("b", Numbers())
    assert kept.turn() == pytest.approx(ANEW / 2)
    clock.now += ANEW * 1.25
    assert kept.turn() == pytest.approx(ANEW)


def test_what_is_made_in_one_turn_is_made_of_the_same_numbers(kept: Kept[int], clock: Clock) -> None:
    olders = []

    def make(before: int | None, older: float) -> int:
        olders.append(older)
        clock.now += 0.25
        return 1

    for asked in "abc":
        kept.get_or_make(asked, make)
    clock.now += ANEW
    for asked in "abc":
        kept.get(asked)
    assert kept.turn() == pytest.approx(0.75), "as long as it took"
    assert olders == pytest.approx([0, 0, 0, 0, 0.25, 0.5])
    clock.now += OLDEST - 0.76
    assert kept.get("c") == 1
    clock.now += 0.02
    assert kept.get("c") is None, "its numbers are of when the turn began"


def test_what_can_not_be_made_anew_is_told_and_is_for_nobody(
    kept: Kept[int], clock: Clock, told: list[Exception]
) -> None:
    numbers = Numbers()
    kept.get_or_make("asked", numbers)
    clock.now += ANEW * 1.01
    numbers.fails = OSError("no folder")
    kept.turn()
    assert told == [numbers.fails]
    assert kept.get("asked") is None
    with pytest.raises(OSError, match="no folder"):
        kept.get_or_make("asked", numbers)
    numbers.fails, numbers.gone = None, True
    assert kept.get_or_make("asked", numbers) is None
    assert kept.get("asked") is None


def test_what_was_being_made_when_all_was_cleared_is_for_nobody(kept: Kept[int], clock: Clock) -> None:
    def make(before: int | None, older: float) -> int:
        clock.now += 0.01
        kept.clear()
        return 1

    assert kept.get_or_make("asked", make) == 1, "who asked before may have it"
    assert kept.get("asked") is None
    numbers = Numbers()
    clock.now += 0.01
    kept.get_or_make("asked", numbers)
    kept.clear()
    assert kept.get("asked") is None


def test_whatever_is_asked_the_number_of_answers_is_bounded(kept: Kept[int]) -> None:
    for number in range(1000):
        kept.get_or_make(number, lambda before, older: 7)
    assert sum(kept.get(number) is not None for number in range(1000)) <= 64
    assert kept.get(999) == 7


@pytest.fixture
def threaded(clock: Clock, told: list[Exception]) -> Iterator[Kept[int]]:
    kept: Kept[int] = Kept(told.append, clock)
    yield kept
    clock.now += LOOKING
    if kept._thread is not None:
        kept._thread.join(60)
        assert not kept._thread.is_alive()


def test_the_thread_is_there_only_while_somebody_asks(threaded: Kept[int], clock: Clock) -> None:
    made_anew = threading.Event()

    def make(before: int | None, older: float) -> int:
        if before is not None:
            made_anew.set()
        return 1

    assert threaded._thread is None
    for _ in range(2):
        made_anew.clear()
        threaded.get_or_make("asked", make)
        first = threaded._thread
        assert first is not None
        clock.now += ANEW * 1.01
        assert made_anew.wait(60)
        threaded.get("asked")
        assert threaded._thread is first, "one is enough"
        clock.now += LOOKING
        first.join(60)
        assert not first.is_alive()


def test_no_lock_is_needed_for_many_who_ask_at_once() -> None:
    told: list[Exception] = []
    kept: Kept[float] = Kept(told.append)
    wrong: list[object] = []

    def ask() -> None:
        for number in range(3000):
            answer = kept.get_or_make(number % 5, lambda before, older: time.monotonic())
            if answer is None or time.monotonic() - answer > 60:
                wrong.append(answer)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    kept.clear()
    assert kept._thread is not None
    kept._thread.join(60)
    assert told == wrong == []
