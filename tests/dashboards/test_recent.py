"""Answers of the last second."""

from __future__ import annotations

from stethoscope.dashboards.api.recent import FRESH, Recent


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_given_again_for_a_second_and_then_made_anew() -> None:
    clock = Clock()
    recent: Recent[str] = Recent(clock)
    recent.put("asked", "answer")
    clock.now += FRESH * 0.99
    assert recent.get("asked") == "answer"
    assert recent.get("something else") is None
    clock.now += FRESH * 0.01
    assert recent.get("asked") is None


def test_whatever_is_asked_the_number_of_answers_is_bounded() -> None:
    recent: Recent[int] = Recent(Clock())
    for number in range(1000):
        recent.put(number, number)
    assert sum(recent.get(number) is not None for number in range(1000)) <= 64
    assert recent.get(999) == 999
