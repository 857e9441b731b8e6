"""Where and when metrics of the user's own are recorded."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Generator

import pytest

import stethoscope
from stethoscope import Counter, Gauge, Histogram, names
from stethoscope.instruments import recording
from stethoscope.names import Merge
from stethoscope.settings import Settings, SettingsError
from stethoscope.store import registry
from stethoscope.store.recorder import Recorder
from tests.instruments.reading import numbers, sum_of

pytestmark = pytest.mark.usefixtures("own")


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
    for mode in set(Merge) - {"sum", "livesum"}:
        Gauge(mode, "", multiprocess_mode=mode)
    Counter("used", "").inc(3)
    families = stethoscope.snapshot().families
    assert numbers(own, "plain") == {(): 0.0}
    assert numbers(own, "labelled") == {("a",): 0.0}
    assert numbers(own, "gauge") == {(): 0.0}
    assert not families.keys() & set(Merge)  # it would be a 0 among the workers' values
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
