"""Counters, gauges and histograms of the user's own, in one process. Several processes: see test_scripts."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

import numpy
import prometheus_client
import pytest

from stethoscope import Counter, Gauge, Histogram
from stethoscope.instruments import metrics, stopwatch
from stethoscope.names import Merge
from stethoscope.store.recorder import SERIES_CAP, Recorder
from tests.instruments.reading import numbers, refused, series_of, sum_of

pytestmark = pytest.mark.usefixtures("own")

TOO_MUCH = 10**400


# Counters.


def test_counter_adds_up(own: Recorder) -> None:
    counter = Counter("jobs", "Jobs.")
    counter.inc()
    counter.inc(2.5)
    counter.inc(0)
    assert numbers(own, "jobs") == {(): 3.5}


def test_labels_by_order_and_by_name_are_the_same_child(own: Recorder) -> None:
    counter = Counter("jobs", "Jobs.", ["kind", "queue"])
    counter.labels("mail", "fast").inc()
    counter.labels(queue="fast", kind="mail").inc()
    assert counter.labels("mail", "fast") is counter.labels(kind="mail", queue="fast")
    assert numbers(own, "jobs") == {("mail", "fast"): 2.0}


@pytest.mark.parametrize("amount", [-1, -0.5, -math.inf, -TOO_MUCH])
def test_counter_refuses_negative_amounts_loudly(own: Recorder, amount: float) -> None:
    counter = Counter("jobs", "Jobs.")
    with pytest.raises(ValueError, match="<Counter 'jobs'> can only be incremented by amounts that are not negative"):
        counter.inc(amount)
    assert numbers(own, "jobs") == {}


@pytest.mark.parametrize("amount", [math.nan, math.inf, TOO_MUCH])
def test_counter_refuses_what_is_no_number_quietly(own: Recorder, amount: float) -> None:
    counter = Counter("jobs", "Jobs.")
    counter.inc(amount)
    counter.inc()
    assert numbers(own, "jobs") == {(): 1.0}
    assert refused(own, "jobs") == 1


@pytest.mark.parametrize("amount", ["1", None, [], 1j])
def test_what_is_no_number_raises_typeerror_as_in_prometheus_client(own: Recorder, amount: float) -> None:
    for record in (Counter("c", "").inc, Gauge("g", "").inc, Gauge("g", "").dec, Histogram("h", "").observe):
        with pytest.raises(TypeError):
            record(amount)
    assert not {"c", "g", "h"} & own.snapshot().families.keys()


def test_other_kinds_of_numbers_count_with_their_value(own: Recorder) -> None:
    counter, histogram = Counter("c", ""), Histogram("h", "")
    for amount in (Decimal("0.5"), numpy.float32(0.25), numpy.int64(3), True):
        counter.inc(amount)  # type: ignore[arg-type]
        histogram.observe(amount)  # type: ignore[arg-type]
    assert numbers(own, "c") == {(): 4.75}
    assert (numbers(own, "h"), sum_of(own, "h")) == ({(): 4}, 4.75)


def test_a_small_float32_is_not_lost_in_a_large_total(own: Recorder) -> None:
    counter = Counter("c", "")
    counter.inc(2.0**40)
    counter.inc(numpy.float32(1))  # type: ignore[arg-type]
    assert numbers(own, "c") == {(): 2.0**40 + 1}


def test_exemplars_are_accepted_and_not_kept(own: Recorder) -> None:
    Counter("c", "").inc(1, {"trace_id": "a"})
    Histogram("h", "").observe(1, exemplar={"trace_id": "a"})
    assert numbers(own, "c") == numbers(own, "h") == {(): 1}


def test_a_counter_can_not_be_reset() -> None:
    with pytest.raises(NotImplementedError, match=r"reset\(\) is not offered by <Counter 'c'>: a counter only grows"):
        Counter("c", "").reset()


def test_count_exceptions_counts_those_of_its_kind(own: Recorder) -> None:
    counter = Counter("c", "")
    for error in (KeyError(), ValueError(), TypeError(), KeyboardInterrupt()):
        with pytest.raises(type(error)), counter.count_exceptions((LookupError, TypeError)):
            raise error
    with counter.count_exceptions():
        pass
    assert numbers(own, "c") == {(): 2.0}


def test_count_exceptions_decorates_every_kind_of_function(own: Recorder) -> None:
    counter = Counter("c", "")
    for fails in _failing_functions(counter.count_exceptions()):
        with pytest.raises(ZeroDivisionError):
            fails()
    assert numbers(own, "c") == {(): 4.0}


def _failing_functions(decorate: metrics.ExceptionCounter) -> Iterator[Callable[[], object]]:
    @decorate
    def plain() -> float:
        return 1 / 0

    @decorate
    async def coroutine() -> float:
        await asyncio.sleep(0)
        return 1 / 0

    @decorate
    def generator() -> Iterator[float]:
        yield 1
        yield 1 / 0

    async def consume() -> None:
        @decorate
        async def stream() -> object:
            yield 1
            yield 1 / 0

        async for _ in stream():  # type: ignore[attr-defined]
            pass

    yield plain
    yield lambda: asyncio.run(coroutine())
    yield lambda: list(generator())
    yield lambda: asyncio.run(consume())


# Gauges.


def test_gauge_goes_up_and_down_and_is_set(own: Recorder) -> None:
    gauge = Gauge("g", "", ["x"])
    gauge.labels("a").inc()
    gauge.labels("a").inc(4)
    gauge.labels("a").dec(2)
    gauge.labels("b").set(7)
    gauge.labels("b").dec()
    gauge.labels("c").set("1.5")  # type: ignore[arg-type]
    assert numbers(own, "g") == {("a",): 3.0, ("b",): 6.0, ("c",): 1.5}


@pytest.mark.parametrize("value", [math.inf, -math.inf, -3.0, 0.0])
def test_gauge_can_be_set_to_any_float(own: Recorder, value: float) -> None:
    Gauge("g", "").set(value)
    assert numbers(own, "g") == {(): value}


def test_gauge_can_be_set_to_nan(own: Recorder) -> None:
    Gauge("g", "").set(math.nan)
    assert math.isnan(numbers(own, "g")[()])


def test_gauge_refuses_quietly_what_it_can_not_come_back_from(own: Recorder) -> None:
    gauge = Gauge("g", "")
    gauge.set(1)
    gauge.inc(math.nan)
    gauge.dec(math.inf)
    gauge.inc(TOO_MUCH)
    gauge.set(TOO_MUCH)
    assert numbers(own, "g") == {(): 1.0}
    assert refused(own, "g") == 4


@pytest.mark.parametrize("mode", [*Merge])
def test_gauge_has_the_modes_of_prometheus_client(own: Recorder, mode: str) -> None:
    assert set(Merge) == prometheus_client.Gauge._MULTIPROC_MODES
    gauge = Gauge("g", "", multiprocess_mode=mode)
    gauge.set(2)
    (series,) = series_of(own, "g")
    assert (gauge._definition.merge, series.value, bool(series.pid)) == (Merge(mode), 2.0, mode in ("all", "liveall"))


def test_gauges_of_living_workers_are_added_up_unless_said_otherwise() -> None:
    assert Gauge("g", "")._definition.merge is Merge.LIVESUM


@pytest.mark.parametrize("mode", ["mostrecent", "livemostrecent"])
def test_a_gauge_that_is_the_most_recent_can_only_be_set(mode: str) -> None:
    gauge = Gauge("g", "", multiprocess_mode=mode)
    with pytest.raises(RuntimeError, match=rf"inc\(\) cannot be used with multiprocess_mode='{mode}'"):
        gauge.inc()
    with pytest.raises(RuntimeError, match=r"dec\(\) cannot be used"):
        gauge.dec()


def test_gauge_is_set_to_the_current_time(own: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.5)
    Gauge("g", "").set_to_current_time()
    assert numbers(own, "g") == {(): 1_700_000_000.5}


def test_track_inprogress_is_up_while_code_runs_also_when_it_fails(own: Recorder) -> None:
    gauge = Gauge("g", "")

    @gauge.track_inprogress()
    async def work() -> None:
        with gauge.track_inprogress():
            assert numbers(own, "g") == {(): 2.0}
            raise KeyError

    with pytest.raises(KeyError):
        asyncio.run(work())
    assert numbers(own, "g") == {(): 0.0}


def test_gauge_times_a_block(own: Recorder, ticks: list[float]) -> None:
    gauge = Gauge("g", "", ["x"])
    ticks += [10.0, 12.5]
    with gauge.labels("a").time():
        pass
    assert numbers(own, "g") == {("a",): 2.5}


def test_a_gauge_takes_no_function() -> None:
    with pytest.raises(NotImplementedError, match=r"set_function\(\) is not offered .* call set\(\) when"):
        Gauge("g", "").set_function(lambda: 1.0)


# Histograms.


def test_histogram_counts_by_its_buckets(own: Recorder) -> None:
    histogram = Histogram("h", "", ["x"], buckets=(1, "2.5", math.inf))
    for amount in (0, 1, 1.1, 2.5, 3):
        histogram.labels("a").observe(amount)
    (series,) = series_of(own, "h")
    assert series.value.cumulative == (2, 4, 5)  # type: ignore[union-attr]
    assert series.value.sum == 7.6  # type: ignore[union-attr]


def test_default_buckets_are_those_of_prometheus_client() -> None:
    assert Histogram.DEFAULT_BUCKETS == prometheus_client.Histogram.DEFAULT_BUCKETS
    assert Histogram("h", "")._definition.bounds == prometheus_client.Histogram.DEFAULT_BUCKETS[:-1]


@pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf, -1e-9, TOO_MUCH, -TOO_MUCH])
def test_histogram_refuses_quietly_what_is_no_size(own: Recorder, amount: float) -> None:
    histogram = Histogram("h", "")
    histogram.observe(amount)
    histogram.observe(0.5)
    assert (numbers(own, "h"), sum_of(own, "h")) == ({(): 1}, 0.5)
    assert refused(own, "h") == 1


@pytest.mark.parametrize("unit", ["", "seconds"])
def test_quantiles_are_within_one_per_cent(unit: str) -> None:
    values = numpy.random.default_rng(7).lognormal(-3, 1.5, 5000)
    histogram = Histogram("h", "", unit=unit)
    for value in values:
        histogram.observe(value)
    for q in (0.0, 0.5, 0.95, 0.99, 0.999, 1.0):
        assert histogram.quantile(q) == pytest.approx(numpy.quantile(values, q), rel=0.01)


def test_a_quantile_is_of_one_child_or_of_all() -> None:
    histogram = Histogram("h", "", ["x"])
    for amount in range(100):
        histogram.labels("low").observe(1)
        histogram.labels("high").observe(1000 + amount)
    assert histogram.labels("low").quantile(1.0) == pytest.approx(1, rel=0.01)
    assert histogram.labels("high").quantile(0.0) == pytest.approx(1000, rel=0.01)
    assert histogram.quantile(0.25) == pytest.approx(1, rel=0.01)
    assert histogram.quantile(0.75) == pytest.approx(1050, rel=0.01)


def test_the_quantile_of_a_metric_includes_what_its_cap_refused_to_tell_apart() -> None:
    histogram = Histogram("h", "", ["x"])
    for number in range(SERIES_CAP):
        histogram.labels(number).observe(1)
    for number in range(SERIES_CAP + 1):
        histogram.labels(-number - 1).observe(1000)
    assert histogram.quantile(1.0) == pytest.approx(1000, rel=0.01)
    assert math.isnan(histogram.labels(-1).quantile(0.5))


def test_the_quantile_of_nothing_is_nan() -> None:
    assert math.isnan(Histogram("h", "").quantile(0.5))


@pytest.mark.parametrize("q", [-0.1, 1.1, 95, math.nan])
def test_a_quantile_is_between_0_and_1(q: float) -> None:
    with pytest.raises(ValueError, match=r"for the 95th percentile pass 0\.95"):
        Histogram("h", "").quantile(q)


def test_histogram_times_blocks_and_functions(own: Recorder, ticks: list[float]) -> None:
    histogram = Histogram("h", "")
    ticks += [0.0, 2.0, 10.0, 10.5]
    with histogram.time() as timed:
        pass
    assert timed.duration == 2.0

    @histogram.time()
    async def work() -> str:
        return "done"

    assert asyncio.run(work()) == "done"
    assert (numbers(own, "h"), sum_of(own, "h")) == ({(): 2}, 2.5)


def test_the_labels_of_a_timed_block_can_be_chosen_inside_of_it(own: Recorder) -> None:
    with Histogram("h", "", ["x"]).time() as timed:
        timed.labels(x="late")
    assert numbers(own, "h") == {("late",): 1}


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock says, one after the other."""
    times: list[float] = []
    monkeypatch.setattr(stopwatch, "clock", lambda: times.pop(0))
    return times
