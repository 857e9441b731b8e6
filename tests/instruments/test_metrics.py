"""Counters, gauges and histograms of the user's own, in one process. Several processes: see test_scripts."""

from __future__ import annotations

import asyncio
import math
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from decimal import Decimal
from enum import Enum
from itertools import product

import numpy
import prometheus_client
import pytest

import stethoscope
from stethoscope import Counter, Gauge, Histogram, names
from stethoscope.instruments import definitions, labelled, metrics, recording, stopwatch
from stethoscope.names import Merge
from stethoscope.settings import Settings, SettingsError
from stethoscope.store import registry
from stethoscope.store.recorder import SERIES_CAP, Recorder
from tests.instruments.reading import numbers, refused, series_of, sum_of

pytestmark = pytest.mark.usefixtures("own")

MODES = ["all", "liveall", "sum", "livesum", "min", "livemin", "max", "livemax", "mostrecent", "livemostrecent"]
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


# Labels.


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


# Definitions.


def test_names_are_those_that_prometheus_client_makes(own: Recorder) -> None:
    kinds = [(Counter, prometheus_client.Counter), (Gauge, prometheus_client.Gauge)]
    kinds += [(Histogram, prometheus_client.Histogram)]
    parts = product(["jobs", "jobs_total", "jobs_seconds", "a:b_c"], ["", "shop"], ["", "till"], ["", "seconds"])
    for (ours, theirs), (name, namespace, subsystem, unit) in product(kinds, parts):
        expected = theirs(name, "", namespace=namespace, subsystem=subsystem, unit=unit, registry=None)
        for known in (labelled._made, definitions._defined, definitions._taken):
            known.clear()
        metric = ours(name, "", namespace=namespace, subsystem=subsystem, unit=unit)
        assert metric._definition.name == expected._name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Counter("", "x"), "name of a counter must not be empty"),
        (lambda: Gauge("1a", "x"), "invalid metric name '1a': expected letters, digits, '_' and ':'"),
        (lambda: Gauge("a-b", "x"), "invalid metric name 'a-b'"),
        (lambda: Gauge("a\n", "x"), "invalid metric name"),
        (lambda: Counter("_total", "x"), "invalid metric name ''"),
        (lambda: Gauge("a", "x", unit="per cent"), "invalid metric name 'a_per cent'"),
        (lambda: Counter("c", "x", ["1"]), "invalid label name '1': expected letters, digits and '_'"),
        (lambda: Counter("c", "x", [""]), "invalid label name ''"),
        (lambda: Counter("c", "x", ["a:b"]), "invalid label name 'a:b'"),
        (lambda: Counter("c", "x", ["a\n"]), "invalid label name"),
        (lambda: Counter("c", "x", [1]), "invalid label name 1"),  # type: ignore[list-item]
        (lambda: Counter("c", "x", ["__a"]), "reserved label name '__a'"),
        (lambda: Counter("c", "x", ["otel_metric_overflow"]), "reserved label name 'otel_metric_overflow'"),
        (lambda: Histogram("h", "x", ["le"]), "reserved label name 'le': a histogram cannot have it"),
        (lambda: Histogram("h", "x", ["quantile"]), "reserved label name 'quantile'"),
        (lambda: Gauge("g", "x", ["pid"], multiprocess_mode="all"), "reserved label name 'pid'.*mode='all'"),
        (lambda: Gauge("g", "x", ["pid"], multiprocess_mode="liveall"), "reserved label name 'pid'"),
        (lambda: Counter("c", "x", ["a", "b", "a"]), r"label names must differ .* got \('a', 'b', 'a'\)"),
        (lambda: Gauge("g", "x", multiprocess_mode="avg"), "invalid multiprocess_mode 'avg': expected one of all, "),
        (lambda: Histogram("h", "x", buckets=[]), r"at least one upper bound, finite and not negative, got \[\]"),
        (lambda: Histogram("h", "x", buckets=[math.inf]), "at least one upper bound"),
        (lambda: Histogram("h", "x", buckets=[-1, 1]), "not negative"),
        (lambda: Histogram("h", "x", buckets=[1, math.nan]), "finite"),
        (lambda: Histogram("h", "x", buckets=[2, 1]), r"buckets must be in ascending order, got \[2, 1\]"),
        (lambda: Histogram("h", "x", buckets=[1, 1]), "ascending"),
        (lambda: Gauge("stethoscope_workers", "x"), "'stethoscope_workers' is a name of the metric"),
        (lambda: Gauge("stethoscope_internal_errors_total", "x"), "of the metric 'stethoscope_internal_errors'"),
    ],
)
def test_what_can_not_be_is_refused_and_the_error_says_why(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Counter(None, "x"), "name of a counter must be a string, got None"),  # type: ignore[arg-type]
        (lambda: Counter("c", ["a"]), r"documentation of a counter must be a string, got \['a'\]"),  # type: ignore[arg-type]
        (lambda: Counter("c", "x", unit=1), "unit of a counter must be a string"),  # type: ignore[arg-type]
        (lambda: Counter("c", "x", "method"), r"labelnames must be a sequence .* write \['method'\]"),
    ],
)
def test_arguments_of_a_wrong_type_are_refused_and_the_error_says_why(make: Callable[[], object], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()


def test_le_and_pid_are_labels_where_they_mean_nothing_else() -> None:
    Counter("c", "", ["le", "quantile", "pid"])
    Gauge("g", "", ["le", "quantile", "pid"])
    Histogram("h", "", ["pid"])


def test_the_same_definition_twice_is_the_same_metric(own: Recorder) -> None:
    for name in ("jobs", "jobs_total"):
        Counter(name, "Jobs.", ["kind"]).labels("mail").inc()
        Histogram("h", "H.", unit="seconds", buckets=[1, math.inf]).observe(1)
        Gauge("g", "G.", multiprocess_mode="max").set(3)
    assert numbers(own, "jobs") == {("mail",): 2.0}
    assert Counter("jobs", "Jobs.", ["kind"]).labels("mail") is Counter("jobs", "Jobs.", ["kind"]).labels("mail")
    assert numbers(own, "h_seconds") == {(): 2}
    assert numbers(own, "g") == {(): 3.0}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Gauge("m", "M.", ["a"]), "with kind 'histogram' and not 'gauge', with buckets .* and not "),
        (lambda: Histogram("m", "Other.", ["a"]), "with documentation 'M.' and not 'Other.'$"),
        (lambda: Histogram("m", "M.", ["b"]), r"with labelnames \('a',\) and not \('b',\)$"),
        (lambda: Histogram("m", "M.", ["a"], buckets=[1]), r"with buckets \(0.005, .* and not \(1.0,\)$"),
    ],
)
def test_another_definition_under_the_same_name_is_an_error(make: Callable[[], object], message: str) -> None:
    Histogram("m", "M.", ["a"])
    with pytest.raises(ValueError, match=f"metric 'm' is defined already, {message}"):
        make()


def test_a_name_that_is_a_sample_of_another_metric_is_an_error(own: Recorder) -> None:
    Counter("jobs", "")
    with pytest.raises(ValueError, match="metric 'jobs_total' cannot be: 'jobs_total' is a name of the metric 'jobs'"):
        Gauge("jobs_total", "")
    Gauge("size_count", "")
    with pytest.raises(ValueError, match="metric 'size' cannot be: 'size_count' is a name of"):
        Histogram("size", "")


def test_a_refused_definition_leaves_its_names_free() -> None:
    Gauge("size_count", "")
    with pytest.raises(ValueError, match="cannot be"):
        Histogram("size", "")
    Gauge("size_sum", "")


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


@pytest.mark.parametrize("mode", MODES)
def test_gauge_has_the_modes_of_prometheus_client(own: Recorder, mode: str) -> None:
    assert set(MODES) == prometheus_client.Gauge._MULTIPROC_MODES
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


# Where and when things are recorded.


def test_making_a_metric_asks_for_no_recorder(monkeypatch: pytest.MonkeyPatch) -> None:
    """B40."""
    monkeypatch.setattr(recording, "default_recorder", lambda: pytest.fail("asked for too early"))
    Counter("c", "").count_exceptions()(lambda: None)
    Gauge("g", "", ["x"]).labels("a").track_inprogress()
    Histogram("h", "").time()


def test_what_a_module_recorded_while_it_was_imported_moves_to_the_first_app(
    own: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr(registry, "_default", None)
    counter = Counter("c", "")
    counter.inc()
    app = registry.recorder_for(Settings.resolve(service="shop", dir=f"{tmp_path}/store"), "fallback")
    counter.inc()
    assert numbers(app, "c") == {(): 2.0}
    assert app.snapshot().service == "shop"


def test_mistakes_in_the_environment_drop_what_is_recorded_with_one_warning_and_no_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A5."""
    monkeypatch.setattr(registry, "_default", None)
    monkeypatch.setenv("STETHOSCOPE_PREFIX", "no path")
    counter, histogram = Counter("c", ""), Histogram("h", "")
    for _ in range(3):
        counter.inc()
        histogram.observe(1)
        histogram.observe(math.nan)
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 2
    assert texts[0].startswith("metric 'c' is not recorded; the app is not affected: STETHOSCOPE_PREFIX='no path'")
    with pytest.raises(SettingsError):
        histogram.quantile(0.5)


def test_another_metric_of_that_name_in_the_recorder_is_one_warning_and_no_error(
    own: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    own.counter(names.Metric("c", names.Kind.COUNTER, "from elsewhere", ("x",)), ("a",)).add(1.0)
    counter = Counter("c", "ours")
    counter.inc()
    counter.inc()
    assert numbers(own, "c") == {("a",): 1.0}
    assert numbers(own, names.INTERNAL_ERRORS.name) == {("metrics",): 1.0}
    assert "exists already" in caplog.text


def test_a_recorder_that_fails_does_not_reach_the_app(own: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A5."""

    def fails() -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(own, "_here", fails)
    Counter("c", "").inc()
    Gauge("g", "").set(1)
    Gauge("g", "").inc()
    Histogram("h", "").observe(1)


def test_sixteen_threads_lose_nothing(own: Recorder) -> None:
    """B10."""
    counter, gauge, histogram = Counter("c", ""), Gauge("g", "", ["x"]), Histogram("h", "")

    def work() -> None:
        for _ in range(100_000):
            counter.inc()
        for _ in range(5_000):
            gauge.labels("a").inc(2)
            histogram.observe(0.5)
            gauge.labels("a").dec()

    _with_the_shortest_switch_interval([threading.Thread(target=work) for _ in range(16)])
    assert numbers(own, "c") == {(): 1_600_000.0}
    assert numbers(own, "g") == {("a",): 80_000.0}
    assert (numbers(own, "h"), sum_of(own, "h")) == ({(): 80_000}, 40_000.0)


def test_threads_that_make_the_same_children_at_once_share_them(own: Recorder) -> None:
    """B10."""
    counter = Counter("c", "", ["n"])
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for number in range(500):
            counter.labels(number).inc()

    _with_the_shortest_switch_interval([threading.Thread(target=work) for _ in range(8)])
    assert numbers(own, "c") == {(str(number),): 8.0 for number in range(500)}


def _with_the_shortest_switch_interval(threads: list[threading.Thread]) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)


def test_what_was_defined_and_not_recorded_is_seen_as_zero_once_it_is_asked_for(own: Recorder) -> None:
    Counter("plain", "")
    Counter("labelled", "", ["x"]).labels("a")
    Gauge("gauge", "")
    for mode in set(MODES) - {"sum", "livesum"}:
        Gauge(mode, "", multiprocess_mode=mode)
    Counter("used", "").inc(3)
    families = stethoscope.snapshot().families
    assert numbers(own, "plain") == {(): 0.0}
    assert numbers(own, "labelled") == {("a",): 0.0}
    assert numbers(own, "gauge") == {(): 0.0}
    assert not families.keys() & set(MODES)  # it would be a 0 among the workers' values
    assert numbers(own, "used") == {(): 3.0}


def test_a_decorated_generator_is_still_one(own: Recorder) -> None:
    counter = Counter("c", "")

    @counter.count_exceptions(KeyError)
    def accumulate() -> Generator[int, int, str]:
        """Adds up what it is sent."""
        total = 0
        while total < 10:
            total += yield total
        return "full"

    assert (accumulate.__name__, accumulate.__doc__) == ("accumulate", "Adds up what it is sent.")
    running = accumulate()
    assert [next(running), running.send(4), running.send(5)] == [0, 4, 9]
    with pytest.raises(StopIteration, match="full"):
        running.send(1)
