"""Which requests are kept, and that there is an end to them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stethoscope.middleware.following.choice import FAILED, FORGET_AFTER, MOST_ERRORS, SAMPLED, SLOWEST, Choice

REQUESTS = st.lists(
    st.tuples(st.floats(0, 5), st.floats(0, 10), st.sampled_from(["", "", "", "ValueError", "500", "KeyError"])),
    max_size=200,
)


@given(REQUESTS)
def test_slowest_are_always_among_those_kept(requests: list[tuple[float, float, str]]) -> None:
    """Of those that did not fail; within the time that is looked back on."""
    choice, now, kept = Choice(), 0.0, dict[str, tuple[float, str]]()
    slowest: list[float] = []
    for pause, seconds, error in requests:
        now += pause / 100  # all within the time
        slot = choice.slot(now, seconds, error)
        if slot is not None:
            kept[slot] = (seconds, error)
        if slot is None or not slot.startswith("failed"):
            slowest = sorted([*slowest, seconds], reverse=True)[:SLOWEST]
    assert sorted((seconds for slot, (seconds, _) in kept.items() if slot.startswith("slow")), reverse=True) == slowest


@given(REQUESTS)
def test_quick_look_leaves_out_nothing_that_would_be_kept(requests: list[tuple[float, float, str]]) -> None:
    choice, now = Choice(), 0.0
    for pause, seconds, error in requests:
        now += pause
        passed = seconds <= choice.seconds and now < choice.until and not error
        assert not (passed and choice.slot(now, seconds, error))


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 10), st.text(max_size=3)), max_size=300))
def test_slots_are_few_whatever_comes(requests: list[tuple[float, float, str]]) -> None:
    choice, now, slots = Choice(), 0.0, set[str | None]()
    for pause, seconds, error in requests:
        now += pause
        slots.add(choice.slot(now, seconds, error))
    assert len(slots - {None}) <= SLOWEST + SAMPLED + FAILED * MOST_ERRORS


def test_rare_failure_is_kept_beside_a_frequent_one() -> None:
    choice = Choice()
    slots = {choice.slot(second, 0.1, "TimeoutError") for second in range(1, 50)}
    rare = choice.slot(50, 0.1, "KeyError")
    assert rare is not None
    assert rare not in slots
    assert {choice.slot(second, 0.1, "TimeoutError") for second in range(51, 90)} == slots


def test_storm_of_failures_is_kept_five_times_in_a_second() -> None:
    choice = Choice()
    kept = [choice.slot(1 + at / 1000, 0.0, "500") for at in range(1000)]
    assert len([slot for slot in kept if slot and slot.startswith("failed")]) == 5


def test_slow_ones_are_forgotten_in_time() -> None:
    choice = Choice()
    for at in range(SLOWEST):
        choice.slot(float(at), 100.0, "")
    assert not (choice.slot(20.0, 5.0, "") or "").startswith("slow")
    later = choice.slot(FORGET_AFTER + 60.0, 5.0, "")
    assert later is not None
    assert later.startswith("slow")


def test_sample_is_one_in_ten_seconds() -> None:
    choice = Choice()
    for _ in range(SLOWEST):
        choice.slot(0.0, 1.0, "")
    kept = [slot for at in range(1000) if (slot := choice.slot(at / 10, 0.5, ""))]
    assert len(kept) == 10
    assert {slot.partition(" ")[0] for slot in kept} == {"sample"}
