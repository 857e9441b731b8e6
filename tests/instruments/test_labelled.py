"""Children by label values: which there are, how many, and what is not offered."""

from __future__ import annotations

import math
from enum import Enum

import pytest

from stethoscope import Counter, Gauge, Histogram, names
from stethoscope.store.recorder import SERIES_CAP, Recorder
from tests.instruments.reading import numbers, series_of

pytestmark = pytest.mark.usefixtures("own")


def test_label_values_become_text(own: Recorder) -> None:
    counter = Counter("c", "", ["status"])
    counter.labels(200).inc()
    counter.labels("200").inc()
    counter.labels(None).inc()
    assert numbers(own, "c") == {("200",): 2.0, ("None",): 1.0}


class Colour(str, Enum):  # noqa: UP042 - the kind whose text is not its value is what is tested
    RED = "red"


def test_an_enum_that_is_a_text_is_labelled_as_prometheus_client_does_it_whatever_came_before(own: Recorder) -> None:
    counter = Counter("c", "", ["colour"])
    counter.labels("red").inc()
    counter.labels(Colour.RED).inc()
    assert numbers(own, "c") == {("red",): 1.0, ("Colour.RED",): 1.0}


def test_label_values_keep_256_characters(own: Recorder) -> None:
    counter = Counter("c", "", ["path"])
    for end in "ab":
        counter.labels("x" * 256 + end).inc()
    assert numbers(own, "c") == {("x" * 256,): 2.0}


def test_lone_surrogates_and_control_characters_are_label_values(own: Recorder) -> None:
    counter = Counter("c", "", ["path"])
    for value in ("\udcff", "\0", "\u2028", "a\nb", ""):
        counter.labels(value).inc()
    assert set(numbers(own, "c")) == {("\udcff",), ("\0",), ("\u2028",), ("a\nb",), ("",)}


def test_invented_label_values_leave_series_and_memory_bounded_and_the_total_exact(own: Recorder) -> None:
    """A14."""
    counter = Counter("c", "", ["user"])
    for number in range(SERIES_CAP + 500):
        counter.labels(number).inc()
        counter.labels(number).inc()
    children = counter._children
    assert children is not None
    assert len(children) == SERIES_CAP
    series = series_of(own, "c")
    assert len(series) == SERIES_CAP + 1
    assert [one.value for one in series if one.overflow] == [1000.0]


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        (("a",), {}, r"incorrect label count for <Counter 'c'>: expected 2 \('x', 'y'\), got \('a',\)"),
        ((), {}, "incorrect label count"),
        (("a", "b", "c"), {}, "incorrect label count"),
        ((), {"x": 1}, r"incorrect label names for <Counter 'c'>: expected \('x', 'y'\), got \('x',\)"),
        ((), {"x": 1, "z": 1}, "incorrect label names"),
        ((), {"x": 1, "y": 1, "z": 1}, "incorrect label names"),
        (("a",), {"y": 1}, "in order or by name, got both"),
    ],
)
def test_labels_that_are_not_those_of_the_metric_are_an_error(
    arguments: tuple[object, ...], keywords: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Counter("c", "", ["x", "y"]).labels(*arguments, **keywords)


def test_labels_of_what_has_none_or_has_them_already_is_an_error() -> None:
    with pytest.raises(ValueError, match="<Counter 'plain'> was defined without labels"):
        Counter("plain", "").labels("a")
    with pytest.raises(ValueError, match=r"<Counter 'c' \{'x': 'a'\}> has its labels already"):
        Counter("c", "", ["x"]).labels("a").labels("b")


def test_a_labelled_metric_without_values_can_not_be_recorded_into(own: Recorder) -> None:
    counter, gauge, histogram = Counter("c", "", ["x"]), Gauge("g", "", ["x"]), Histogram("h", "", ["x"])
    for call in (
        counter.inc,
        lambda: counter.inc(math.nan),
        counter.count_exceptions,
        gauge.inc,
        gauge.dec,
        lambda: gauge.inc(math.nan),
        lambda: gauge.set(1),
        gauge.set_to_current_time,
        gauge.track_inprogress,
        lambda: histogram.observe(1),
        lambda: histogram.observe(math.nan),
    ):
        with pytest.raises(
            ValueError, match=r"is missing label values: call .labels\(\) with values of \('x',\) first"
        ):
            call()
    assert own.snapshot().families.keys() == {family.name for family in _always_there()}


def _always_there() -> tuple[names.Metric, ...]:
    return (
        names.DROPPED_OBSERVATIONS,
        names.PRIVATE_STORE,
        names.SKIPPED_SEGMENTS,
        names.STORE_SIZE,
        names.WORKERS,
    )


@pytest.mark.parametrize("method", ["remove", "remove_by_labels", "clear"])
def test_series_can_not_be_taken_back(method: str) -> None:
    metric = Gauge("g", "", ["x"])
    arguments = {"remove": ("a",), "remove_by_labels": ({"x": "a"},), "clear": ()}[method]
    with pytest.raises(NotImplementedError, match=rf"{method}\(\) is not offered by <Gauge 'g'>: series are shared"):
        getattr(metric, method)(*arguments)
