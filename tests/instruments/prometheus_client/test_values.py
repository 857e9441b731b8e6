from __future__ import annotations

import logging
import threading

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Counter, Gauge, Histogram, Summary
from prometheus_client import values as library

from stethoscope import forked, names
from stethoscope.instruments import definitions
from stethoscope.instruments.prometheus_client import adopt, foreign
from stethoscope.names import Kind, Merge
from stethoscope.store.recorder import Recorder
from stethoscope.store.series import Scalar
from tests.instruments.prometheus_client.reading import distribution, family, number, private_recorder, several_workers


class TestAdopted:
    def test_counters_count_in_the_recorder(self, recorder: Recorder) -> None:
        sold = Counter("sold_total", "Sold.", ["sku"])
        sold.labels("tea").inc()
        sold.labels(sku="tea").inc(2.5)
        sold.labels("mug").inc()
        assert number(recorder, "sold", "tea") == 3.5
        assert number(recorder, "sold", "mug") == 1.0
        metric = family(recorder, "sold").metric
        assert (metric.kind, metric.help, metric.labels) == (Kind.COUNTER, "Sold.", ("sku",))

    def test_gauges_keep_their_aggregation_mode(self, recorder: Recorder) -> None:
        for mode in Merge:
            gauge = Gauge(f"level_{mode}", "Level.", multiprocess_mode=mode.value)
            gauge.set(3)
            assert family(recorder, f"level_{mode}").metric.merge is mode
            assert [series.value for series in family(recorder, f"level_{mode}").series] == [3.0]

    def test_gauges_go_up_and_down(self, recorder: Recorder) -> None:
        gauge = Gauge("open", "Open.", multiprocess_mode="livesum")
        gauge.inc(5)
        gauge.dec(2)
        with gauge.track_inprogress():
            assert number(recorder, "open") == 4.0
        assert number(recorder, "open") == 3.0

    def test_histograms_count_whole_observations(self, recorder: Recorder) -> None:
        price = Histogram("price", "Price.", ["sku"], buckets=(1, 5, 10))
        for value in (1, 4.5, 4.5, 20):
            price.labels("tea").observe(value)
        recorded = distribution(recorder, "price", "tea")
        assert family(recorder, "price").metric.bounds == (1.0, 5.0, 10.0)
        assert recorded.cumulative == (1, 3, 3, 4)
        assert recorded.sum == 30.0
        assert recorded.quantile(0.5) == pytest.approx(4.5, rel=0.01)

    def test_summaries_are_histograms_without_bounds(self, recorder: Recorder) -> None:
        weight = Summary("weight_grams", "Weight.", unit="grams")
        for value in (100, 200):
            weight.observe(value)
        recorded = distribution(recorder, "weight_grams")
        assert (recorded.count, recorded.sum, recorded.cumulative) == (2, 300.0, (2,))
        assert family(recorder, "weight_grams").metric.unit == "grams"

    def test_their_own_numbers_stay_readable_in_the_process(self, recorder: Recorder) -> None:
        sold = Counter("sold", "Sold.")
        sold.inc(2)
        Histogram("price", "Price.", buckets=(1,)).observe(0.5)
        registry = prometheus_client.REGISTRY
        assert registry.get_sample_value("sold_total") == 2.0
        assert registry.get_sample_value("price_bucket", {"le": "1.0"}) == 1.0
        assert registry.get_sample_value("price_sum") == 0.5

    def test_timers_and_exception_counters_work(self, recorder: Recorder) -> None:
        failures = Counter("failures", "Failures.")
        with pytest.raises(KeyError), failures.count_exceptions(), Histogram("took", "Took.").time():
            raise KeyError
        assert number(recorder, "failures") == 1.0
        assert distribution(recorder, "took").count == 1

    def test_threads_lose_no_increment(self, recorder: Recorder) -> None:
        sold = Counter("sold", "Sold.", ["sku"])

        def sell() -> None:
            for _ in range(2_000):
                sold.labels("tea").inc()

        threads = [threading.Thread(target=sell) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert number(recorder, "sold", "tea") == 8_000.0

    @pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0])
    def test_observations_that_are_none_are_refused_and_counted(self, recorder: Recorder, wrong: float) -> None:
        price = Histogram("price", "Price.")
        price.observe(wrong)
        price.observe(1)
        assert distribution(recorder, "price").count == 1
        assert number(recorder, names.REFUSED_OBSERVATIONS.name, "price") == 1.0

    def test_a_counter_that_is_reset_or_mirrors_another_never_goes_back(self, recorder: Recorder) -> None:
        sold = Counter("sold", "Sold.")
        sold.inc(5)
        sold.reset()
        sold.inc(1)
        assert number(recorder, "sold") == 6.0
        sold._value.set(4)  # as code does that mirrors a counter kept elsewhere
        assert number(recorder, "sold") == 9.0
        assert names.REFUSED_OBSERVATIONS.name not in recorder.snapshot().families

    def test_removed_label_values_that_come_again_go_on(self, recorder: Recorder) -> None:
        sold = Counter("sold", "Sold.", ["sku"])
        level = Gauge("level", "Level.", ["sku"], multiprocess_mode="livesum")
        for again in (1.0, 2.0):
            sold.labels("tea").inc()
            level.labels("tea").inc(3)
            assert number(recorder, "sold", "tea") == again
            assert number(recorder, "level", "tea") == 3.0
            sold.remove("tea")
            level.clear()
        level.labels("tea").set(float("inf"))
        level.clear()
        level.labels("tea").inc()
        assert number(recorder, "level", "tea") == 1.0

    def test_metrics_of_other_registries_stay_out(self, recorder: Recorder) -> None:
        Counter("mine", "Mine.", registry=None).inc()
        Counter("theirs", "Theirs.", registry=prometheus_client.CollectorRegistry()).inc()
        snapshot = recorder.snapshot()
        assert {"mine", "theirs"}.isdisjoint(snapshot.families)
        assert b"mine" not in foreign(snapshot, openmetrics=False)

    def test_a_namesake_in_another_registry_is_not_counted_in(self, recorder: Recorder) -> None:
        Counter("sold", "Sold.", registry=prometheus_client.CollectorRegistry()).inc(5)
        Counter("sold", "Sold.").inc()
        Counter("sold", "Sold.", registry=None).inc(5)
        assert number(recorder, "sold") == 1.0

    def test_a_metric_registered_after_it_counted_is_carried_over(self, recorder: Recorder) -> None:
        late = Counter("late", "Late.", registry=None)
        late.inc(2)
        prometheus_client.REGISTRY.register(late)
        foreign(recorder.snapshot(), openmetrics=False)
        late.inc()
        assert number(recorder, "late") == 3.0

    def test_a_metric_registered_after_it_counted_is_carried_over_with_its_next_observation(
        self, recorder: Recorder
    ) -> None:
        sold, level = Counter("sold", "Sold.", registry=None), Gauge("level", "Level.", registry=None)
        price = Histogram("price", "Price.", registry=None, buckets=(1,))
        weight = Summary("weight", "Weight.", registry=None)

        def count() -> None:
            sold.inc()
            level.set(7)
            price.observe(0)
            weight.observe(2)

        for _ in range(2):
            count()
        for metric in (sold, level, price, weight):
            prometheus_client.REGISTRY.register(metric)
        count()
        assert (number(recorder, "sold"), number(recorder, "level")) == (3.0, 7.0)
        assert (distribution(recorder, "price").count, distribution(recorder, "price").sum) == (3, 0.0)
        assert (distribution(recorder, "weight").count, distribution(recorder, "weight").sum) == (3, 6.0)

    def test_a_failing_recorder_does_not_reach_the_caller(
        self, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A5: the user's metric call works when the store does not."""

        def fail(*_: object) -> None:
            raise RuntimeError("broken")

        sold, level = Counter("sold", "Sold."), Gauge("level", "Level.")
        monkeypatch.setattr(Scalar, "add", fail)
        monkeypatch.setattr(Scalar, "set", fail)
        sold.inc()
        level.set(2)
        assert prometheus_client.REGISTRY.get_sample_value("sold_total") == 1.0
        assert prometheus_client.REGISTRY.get_sample_value("level") == 2.0

    def test_a_log_handler_that_counts_what_our_own_warnings_are_ends(self) -> None:
        """A5: counting makes us log, and the log is counted."""
        logged = Counter("logged", "Log records.", ["level"])

        class CountingHandler(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                logged.labels(record.levelname).inc()

        told: list[str] = []

        def find_folder() -> None:
            if not told:
                told.append("once")
                logging.getLogger("stethoscope").warning("no folder")

        handler = CountingHandler()
        logging.getLogger("stethoscope").addHandler(handler)
        try:
            recorder = Recorder("test", find_folder)
            adopt(recorder)
            logged.labels("WARNING").inc()
        finally:
            logging.getLogger("stethoscope").removeHandler(handler)
        assert prometheus_client.REGISTRY.get_sample_value("logged_total", {"level": "WARNING"}) == 2.0

    def test_every_recorder_of_the_process_gets_everything(self, recorder: Recorder) -> None:
        sold = Counter("sold", "Sold.")
        sold.inc(2)
        second = private_recorder()
        adopt(second)
        adopt(second)
        sold.inc()
        assert (number(recorder, "sold"), number(second, "sold")) == (3.0, 3.0)

    def test_a_gauge_keeps_its_value_when_another_recorder_comes(self, recorder: Recorder) -> None:
        level = Gauge("level", "Level.", multiprocess_mode="livesum")
        level.inc(5)
        second = private_recorder()
        adopt(second)
        assert (number(recorder, "level"), number(second, "level")) == (5.0, 5.0)
        level.dec(5)
        assert (number(recorder, "level"), number(second, "level")) == (0.0, 0.0)

    def test_label_values_are_cut(self, recorder: Recorder) -> None:
        """Whoever can choose values must not be able to fill the memory with them."""
        sold = Counter("sold", "Sold.", ["agent"])
        level = Gauge("level", "Level.", ["agent"], multiprocess_mode="livesum")
        for end in "ab":
            sold.labels("x" * 1000 + end).inc()
            level.labels("x" * 1000 + end).inc(2)
        assert (number(recorder, "sold", "x" * 256), number(recorder, "level", "x" * 256)) == (2.0, 4.0)

    def test_a_metric_is_refused_whose_samples_would_be_named_as_those_of_another_are(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """B26: a reader refuses a whole page in which a name comes twice."""
        monkeypatch.setattr(definitions, "_defined", {})
        monkeypatch.setattr(definitions, "_taken", {})
        definitions.define(Kind.COUNTER, "orders", "Orders.")
        definitions.define(Kind.GAUGE, "probe_sum", "As we name what we try prometheus_client out with.")
        recorder = private_recorder()
        adopt(recorder)
        Gauge("orders_total", "Orders.").set(7)
        Gauge("orders_open", "Orders.").set(7)
        found = recorder.snapshot().families
        assert "orders_open" in found
        assert "orders_total" not in found
        [warning] = caplog.messages
        assert warning.endswith("the name orders_total is taken already")

    def test_what_is_beyond_the_cap_is_added_up_in_gauges_too(self) -> None:
        before, after = (Gauge(name, "Level.", ["sku"], multiprocess_mode="livesum") for name in ("before", "after"))
        skus = [str(number) for number in range(5)]
        for sku in skus:
            before.labels(sku).inc()
        recorder = Recorder("test", lambda: None, series_cap=2)
        adopt(recorder)
        for sku in skus:
            after.labels(sku).inc()
        assert [number(recorder, name, "") for name in ("before", "after")] == [3.0, 3.0]
        for sku in skus:
            after.labels(sku).dec()
        assert number(recorder, "after", "") == 0.0


class TestCarriedOver:
    def test_what_was_counted_before_is_in_the_recorder(self) -> None:
        sold, level = Counter("sold", "Sold.", ["sku"]), Gauge("level", "Level.")
        weight = Summary("weight", "Weight.")
        sold.labels("tea").inc(3)
        level.set(-2)
        weight.observe(1)
        weight.observe(2)
        recorder = private_recorder()
        adopt(recorder)
        sold.labels("tea").inc()
        assert number(recorder, "sold", "tea") == 4.0
        assert number(recorder, "level") == -2.0
        assert (distribution(recorder, "weight").count, distribution(recorder, "weight").sum) == (2, 3.0)

    @given(st.lists(st.floats(0, 50), min_size=1, max_size=50))
    def test_a_histogram_keeps_its_counts_and_its_sum(self, observed: list[float]) -> None:
        price = Histogram("price", "Price.", buckets=(0.5, 1, 10))
        try:
            for value in observed:
                price.observe(value)
            recorder = private_recorder()
            library.ValueClass = library.MutexValue
            adopt(recorder)
            recorded = distribution(recorder, "price")
            assert recorded.cumulative == tuple(
                sum(value <= bound for value in observed) for bound in (0.5, 1, 10, float("inf"))
            )
            assert recorded.sum == pytest.approx(sum(observed), rel=0.01, abs=1e-6 * len(observed))
        finally:
            prometheus_client.REGISTRY.unregister(price)
            library.ValueClass = library.MutexValue

    def test_nothing_is_recorded_for_what_was_not_counted(self) -> None:
        """B40: a process that only defines metrics makes no segment."""
        Counter("sold", "Sold.", ["sku"]).labels("tea")
        Gauge("level", "Level.")
        Histogram("price", "Price.")

        def find_folder() -> None:
            raise AssertionError("something was recorded")

        adopt(Recorder("test", find_folder))

    def test_a_forked_process_carries_nothing_of_its_parents(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A16: else each of the children would count it once more."""
        monkeypatch.setattr(forked, "_times", 1)
        sold = Counter("sold", "Sold.")
        sold.inc(3)
        recorder = private_recorder()
        adopt(recorder)
        sold.inc()
        assert number(recorder, "sold") == 1.0
        own = Counter("own", "Of the child's own.", registry=None)
        own.inc()
        prometheus_client.REGISTRY.register(own)
        own.inc()
        assert number(recorder, "own") == 2.0


class TestAnotherPrometheusClient:
    def test_is_left_as_it_was_when_it_keeps_numbers_in_another_way(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def observe(histogram: Histogram, amount: float) -> None:
            histogram._buckets[0].inc(1)

        monkeypatch.setattr(Histogram, "observe", observe)
        sold = Counter("sold", "Sold.")
        recorder = private_recorder()
        adopt(recorder)
        sold.inc()
        assert library.ValueClass is library.MutexValue
        assert type(sold._value) is library.MutexValue
        assert "sold" not in recorder.snapshot().families
        assert b"sold_total 1.0" in foreign(recorder.snapshot(), openmetrics=False)
        assert b"sold" not in foreign(several_workers(recorder.snapshot()), openmetrics=False)
        (warning,) = caplog.messages
        assert warning.startswith("this version of prometheus_client keeps its numbers in a way that is not known here")

    def test_a_class_of_values_of_the_users_own_is_not_touched(self) -> None:
        class Own(library.MutexValue):
            pass

        library.ValueClass = Own
        sold = Counter("sold", "Sold.")
        sold.inc()
        library.ValueClass = library.MutexValue
        recorder = private_recorder()
        adopt(recorder)
        assert type(sold._value) is Own
        assert "sold" not in recorder.snapshot().families
