"""What a metric may be called and be: checked when it is defined."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import prometheus_client
import pytest

from stethoscope import Counter, Gauge, Histogram
from stethoscope.instruments import definitions, labelled
from stethoscope.store.recorder import Recorder
from tests.instruments.reading import numbers

pytestmark = pytest.mark.usefixtures("own")


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
