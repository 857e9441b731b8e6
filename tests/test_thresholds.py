"""Thresholds: the table, what a level means, and what a mistake says."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from stethoscope.thresholds import Change, Level, Threshold, ThresholdError, Thresholds, parse

DEFAULTS = Thresholds()


def mistake(changes: Mapping[str, Change]) -> str:
    with pytest.raises(ThresholdError) as caught:
        Thresholds.resolve(changes)
    return str(caught.value)


def test_a_value_beyond_a_threshold_has_its_level_and_one_that_equals_it_has_not() -> None:
    assert [DEFAULTS.request_p95.level(value) for value in (0.2, 0.21, 0.5, 0.51)] == ["ok", "warn", "warn", "critical"]


def test_where_small_numbers_are_trouble_the_order_turns() -> None:
    assert [DEFAULTS.cache_hit_ratio.level(value) for value in (0.7, 0.6, 0.4)] == ["ok", "warn", "critical"]


def test_nothing_measured_is_no_trouble() -> None:
    assert {threshold.level(math.nan) for threshold in DEFAULTS} == {Level.OK}


def test_a_level_that_is_not_used_is_never_reached() -> None:
    assert Threshold("x", "seconds", None, None).level(math.inf) is Level.OK
    assert DEFAULTS.slow_requests.level(math.inf) is Level.WARN


def test_the_defaults_would_pass_as_changes() -> None:
    assert Thresholds.resolve({name: (t.warn, t.critical) for name, t in DEFAULTS._asdict().items()}) == DEFAULTS


@pytest.mark.parametrize(
    ("change", "levels"),
    [
        ((0.3, 0.8), (0.3, 0.8)),
        ((None, 0.8), (None, 0.8)),
        (0.3, (0.3, 0.5)),
        ("0.3:0.8", (0.3, 0.8)),
        ("0.3", (0.3, 0.5)),
        (":0.8", (0.2, 0.8)),
        ("none:0.8", (None, 0.8)),
        (" 0.3 : None ", (0.3, None)),
    ],
)
def test_changes(change: Change, levels: tuple[float | None, float | None]) -> None:
    changed = Thresholds.resolve({"request_p95": change})
    assert (changed.request_p95.warn, changed.request_p95.critical) == levels
    assert changed._replace(request_p95=DEFAULTS.request_p95) == DEFAULTS


def test_a_text_of_changes_is_taken_apart() -> None:
    changed = Thresholds.resolve(parse(" request_p95=0.3:0.8 , cpu_use=0.7, "))
    assert (changed.request_p95.warn, changed.request_p95.critical, changed.cpu_use.warn) == (0.3, 0.8, 0.7)
    with pytest.raises(ThresholdError, match="'cpu_use' is not a threshold: expected NAME=WARN:CRITICAL"):
        parse("cpu_use")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("fast", "expected WARN:CRITICAL"),
        ("1:2:3", "expected WARN:CRITICAL"),
        ((0.1, True), "expected WARN:CRITICAL"),
        ("nan", "numbers above 0, in seconds"),
        ("0:1", "numbers above 0, in seconds"),
        ("inf:inf", "numbers above 0, in seconds"),
        ("0.8:0.3", "expected critical to be above warn, got warn 0.8 and critical 0.3"),
        ("0.5:0.5", "expected critical to be above warn"),
    ],
)
def test_a_mistake_says_name_value_and_what_is_accepted(change: Change, text: str) -> None:
    said = mistake({"request_p95": change})
    assert said.startswith(f"request_p95={change!r} is not valid: ")
    assert text in said


def test_shares_are_from_0_to_1_and_turn_their_order_where_small_is_trouble() -> None:
    assert "cpu_use=80 is not valid: expected shares from 0 to 1" in mistake({"cpu_use": 80})
    assert "expected critical to be below warn" in mistake({"cache_hit_ratio": (0.5, 0.7)})


def test_all_mistakes_come_at_once() -> None:
    said = mistake({"cpu": 0.5, "cpu_use": 80, "disk_use": 0.5})
    assert "unknown threshold 'cpu': expected one of request_p95, " in said
    assert "cpu_use=80" in said
    assert "disk_use" not in said.partition("cpu_use=80")[2]
