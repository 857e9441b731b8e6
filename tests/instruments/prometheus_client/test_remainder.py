from __future__ import annotations

from collections.abc import Iterable

import prometheus_client
import pytest
from prometheus_client import Counter, Enum, Gauge, Histogram, Info, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from stethoscope import names
from stethoscope.instruments.prometheus_client import foreign
from stethoscope.store.recorder import Recorder
from tests.instruments.prometheus_client.reading import number, several_workers


class Weather:
    """A collector of the user's own."""

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("outside_celsius", "Outside.", value=21.5)


class Clashing:
    """One family is named as a sample of `TIMES`; the other has no samples, but `LEVEL`'s name in the text format."""

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("times_count", "How often.", value=3)
        yield CounterMetricFamily("things", "Things.", labels=["kind"])


TIMES = names.Metric("times", names.Kind.HISTOGRAM, "Times.", bounds=(1.0,))
LEVEL = names.Metric("things_total", names.Kind.GAUGE, "Not a counter.")


class Broken:
    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        raise RuntimeError("no weather")


class Misshapen:
    """Gives a family that cannot be rendered."""

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily("odd", "Odd.", labels=["x"])
        family.add_metric([object()], 1)  # type: ignore[list-item]
        yield family


@pytest.mark.parametrize("openmetrics", [False, True])
class TestForeign:
    def test_has_what_is_in_no_snapshot(self, recorder: Recorder, openmetrics: bool) -> None:
        Info("edition", "Edition.").info({"version": "7"})
        Enum("state", "State.", states=["up", "down"]).state("down")
        Gauge("cpus", "CPUs.").set_function(lambda: 4.0)
        prometheus_client.REGISTRY.register(Weather())
        for _ in range(2):
            page = parsed(foreign(recorder.snapshot(), openmetrics), openmetrics)
            assert page["edition_info", "7"] == 1.0
            assert page["state", "down"] == 1.0
            assert page["cpus",] == 4.0
            assert page["outside_celsius",] == 21.5

    def test_has_nothing_that_is_in_the_snapshot(self, recorder: Recorder, openmetrics: bool) -> None:
        Counter("sold", "Sold.").inc()
        assert b"sold" not in foreign(recorder.snapshot(), openmetrics)

    def test_shows_what_no_worker_has_recorded_as_zero(self, recorder: Recorder, openmetrics: bool) -> None:
        Counter("sold", "Sold.", ["sku"]).labels("tea")
        Histogram("price", "Price.", buckets=(1,))
        page = parsed(foreign(several_workers(recorder.snapshot()), openmetrics), openmetrics)
        assert page["sold_total", "tea"] == 0.0
        assert page["price_bucket", "+Inf"] == 0.0

    def test_declares_label_values_so_that_they_are_in_the_next_snapshot(
        self, recorder: Recorder, openmetrics: bool
    ) -> None:
        sold = Counter("sold", "Sold.", ["sku"])
        sold.labels("tea").inc()
        sold.labels("mug")
        lowest = Gauge("lowest", "Lowest.", multiprocess_mode="livemin")
        foreign(recorder.snapshot(), openmetrics)
        assert number(recorder, "sold", "mug") == 0.0
        # A zero of a worker that never set it would be the lowest of all.
        assert "lowest" not in recorder.snapshot().families
        lowest.set(3)
        assert number(recorder, "lowest") == 3.0

    def test_leaves_out_numbers_of_one_process_when_there_are_several(
        self, recorder: Recorder, openmetrics: bool
    ) -> None:
        alone = foreign(recorder.snapshot(), openmetrics)
        together = foreign(several_workers(recorder.snapshot()), openmetrics)
        for name in (b"process_cpu_seconds", b"process_resident_memory_bytes", b"python_gc_objects_collected"):
            assert name in alone
            assert name not in together
        assert b"python_info" in together

    @pytest.mark.parametrize(
        ("define", "reason"),
        [
            (lambda: Histogram("odd", "Odd.", buckets=(-1, 1)).observe(0), "negative"),
            (lambda: Gauge("odd", "Odd.", ["pid"]).labels("1").set(2), "'pid'"),
        ],
    )
    def test_leaves_out_what_can_not_be_shared_when_there_are_several(
        self, recorder: Recorder, openmetrics: bool, define: object, reason: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert callable(define)
        define()
        snapshot = recorder.snapshot()
        assert "odd" not in snapshot.families
        assert b"odd" in foreign(snapshot, openmetrics)
        assert b"odd" not in foreign(several_workers(snapshot), openmetrics)
        (warning,) = caplog.messages
        assert warning.startswith("the prometheus_client metric odd is each worker's own")
        assert reason in warning

    def test_leaves_a_metric_alone_that_has_our_name(self, recorder: Recorder, openmetrics: bool) -> None:
        Gauge(names.ACTIVE_REQUESTS.name, "Mine.").set(7)
        assert names.ACTIVE_REQUESTS.name not in recorder.snapshot().families

    def test_leaves_out_families_whose_samples_are_named_as_others_are(
        self, recorder: Recorder, openmetrics: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        """B26: a reader refuses a whole page in which a name comes twice."""
        recorder.histogram(TIMES, ()).record(1.0)
        recorder.gauge(LEVEL).set(1.0)
        prometheus_client.REGISTRY.register(Clashing())
        for _ in range(2):
            page = foreign(recorder.snapshot(), openmetrics)
            assert b"times_count" not in page
            assert b"things" not in page
        assert caplog.messages == [
            "the family times_count is left out of scrapes: the name times_count is taken already",
            "the family things is left out of scrapes: the name things_total is taken already",
        ]

    @pytest.mark.parametrize("collector", [Broken, Misshapen])
    def test_goes_on_after_a_collector_that_fails(
        self,
        recorder: Recorder,
        openmetrics: bool,
        collector: type[Broken | Misshapen],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A5: one bad collector costs its own families."""
        prometheus_client.REGISTRY.register(collector())
        prometheus_client.REGISTRY.register(Weather())
        for _ in range(2):
            assert ("outside_celsius",) in parsed(foreign(recorder.snapshot(), openmetrics), openmetrics)
        assert len([message for message in caplog.messages if message.startswith(collector.__name__)]) == 1

    def test_gives_only_the_names_asked_for(self, recorder: Recorder, openmetrics: bool) -> None:
        Info("edition", "Edition.").info({"version": "7"})
        prometheus_client.REGISTRY.register(Weather())
        for asked in ("edition", "edition_info"):
            page = foreign(recorder.snapshot(), openmetrics, frozenset([asked]))
            assert set(parsed(page, openmetrics)) == {("edition_info", "7")}


def parsed(page: bytes, openmetrics: bool) -> dict[tuple[str, ...], float]:
    """Samples by name and label values, after a parser has taken the page."""
    text = page.decode()
    families = parse_openmetrics(text + "# EOF\n") if openmetrics else parse_text(text)  # type: ignore[no-untyped-call]
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}
