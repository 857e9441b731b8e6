"""Several services in one exposition: valid whatever they are called, and nobody's numbers are another's."""

from __future__ import annotations

import subprocess

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from stethoscope.exporters.exposition import render
from stethoscope.exporters.text import TEXT
from stethoscope.exporters.together import together
from stethoscope.names import Kind, Metric
from stethoscope.store.buckets import buckets_for
from stethoscope.store.distribution import Distribution
from stethoscope.store.snapshot import Family, Series, Snapshot

SOLD = Metric("shop_sold", Kind.COUNTER, "Items sold.", ("product",))
WAIT = Metric("shop_wait_seconds", Kind.HISTOGRAM, "Waiting.", (), "seconds", (0.1, 1.0))


def of(service: str, *families: Family) -> Snapshot:
    return Snapshot(service, 1.0, {family.metric.name: family for family in families}, (1,))


def sold(**products: float) -> Family:
    return Family(SOLD, tuple(Series((product,), count, 1.0) for product, count in products.items()))


def page(*snapshots: Snapshot) -> str:
    return b"".join(render(together(snapshots), TEXT)).decode()


def samples(*snapshots: Snapshot) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(page(*snapshots)):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"{key} comes twice"
            found[key] = sample.value
    return found


def labelled(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def test_each_series_says_whose_it_is() -> None:
    assert samples(of("shop", sold(lamp=1.0, chair=2.0)), of("till", sold(lamp=3.0))) == {
        labelled("shop_sold_total", service_name="shop", product="lamp"): 1.0,
        labelled("shop_sold_total", service_name="shop", product="chair"): 2.0,
        labelled("shop_sold_total", service_name="till", product="lamp"): 3.0,
    }


def test_a_family_is_announced_once() -> None:
    text = page(of("shop", sold(lamp=1.0)), of("till", sold(lamp=1.0)))
    assert text.count("# TYPE shop_sold_total counter") == text.count("# HELP") == 1


def test_services_may_give_a_metric_different_labels() -> None:
    otherwise = Family(SOLD._replace(labels=("size", "product")), (Series(("big", "lamp"), 5.0, 1.0),))
    assert samples(of("shop", sold(lamp=1.0)), of("till", otherwise)) == {
        labelled("shop_sold_total", service_name="shop", product="lamp"): 1.0,
        labelled("shop_sold_total", service_name="till", product="lamp", size="big"): 5.0,
    }


def test_a_label_of_the_app_s_own_that_is_called_so_is_kept_under_another_name() -> None:
    own = Family(SOLD._replace(labels=("service_name",)), (Series(("theirs",), 5.0, 1.0),))
    assert list(samples(of("shop", own))) == [
        labelled("shop_sold_total", service_name="shop", exported_service_name="theirs")
    ]


def test_each_of_its_labels_keeps_a_name_of_its_own() -> None:
    """As Prometheus does it with a target's page: `exported_` until the name is free, whatever other services have."""
    both = Family(SOLD._replace(labels=("service_name", "exported_service_name")), (Series(("a", "b"), 5.0, 1.0),))
    one = Family(SOLD._replace(labels=("service_name",)), (Series(("c",), 6.0, 1.0),))
    other = Family(SOLD._replace(labels=("exported_service_name",)), (Series(("d",), 7.0, 1.0),))
    assert samples(of("shop", both), of("till", one), of("stock", other)) == {
        labelled(
            "shop_sold_total", service_name="shop", exported_exported_service_name="a", exported_service_name="b"
        ): 5.0,
        labelled("shop_sold_total", service_name="till", exported_service_name="c"): 6.0,
        labelled("shop_sold_total", service_name="stock", exported_service_name="d"): 7.0,
    }


def test_a_metric_with_the_name_of_another_s_samples_is_left_to_the_service_s_own_page() -> None:
    gauge = Family(Metric("shop_sold_total", Kind.GAUGE, "Sold."), (Series((), 9.0, 1.0),))
    counted = labelled("shop_sold_total", service_name="shop", product="lamp")
    assert samples(of("shop", sold(lamp=1.0)), of("till", gauge)) == {counted: 1.0}
    assert samples(of("till", gauge), of("shop", sold(lamp=1.0))) == {
        labelled("shop_sold_total", service_name="till"): 9.0
    }


def test_a_metric_that_is_left_out_takes_no_names() -> None:
    otherwise = Family(SOLD._replace(kind=Kind.HISTOGRAM, labels=()), ())
    sums = Family(Metric("shop_sold_sum", Kind.GAUGE, "Sold."), (Series((), 9.0, 1.0),))
    found = samples(of("shop", sold(lamp=1.0)), of("till", otherwise, sums))
    assert labelled("shop_sold_sum", service_name="till") in found


def test_a_metric_of_another_kind_or_other_buckets_is_left_to_the_service_s_own_page() -> None:
    gauge = Family(SOLD._replace(kind=Kind.GAUGE), (Series(("lamp",), 9.0, 1.0),))
    assert list(samples(of("shop", sold(lamp=1.0)), of("till", gauge))) == [
        labelled("shop_sold_total", service_name="shop", product="lamp")
    ]
    others = WAIT._replace(bounds=(0.5,))
    counts = samples(
        of("shop", Family(WAIT, (Series((), Distribution(buckets_for(WAIT), {}, 0.0), 1.0),))),
        of("till", Family(others, (Series((), Distribution(buckets_for(others), {}, 0.0), 1.0),))),
    )
    assert {dict(labels)["service_name"] for _, labels in counts} == {"shop"}


def test_overflow_series_of_several_services_are_told_apart() -> None:
    overflow = Family(SOLD, (Series(("",), 7.0, 1.0, overflow=True),))
    assert samples(of("shop", overflow), of("till", overflow)) == {
        labelled("shop_sold_total", service_name="shop", otel_metric_overflow="true"): 7.0,
        labelled("shop_sold_total", service_name="till", otel_metric_overflow="true"): 7.0,
    }


@given(st.dictionaries(st.text(min_size=1), st.floats(0, 1e6), min_size=1, max_size=5))
def test_any_names_of_services_make_a_valid_page_with_all_counts(counts: dict[str, float]) -> None:
    """Names that differ only in what no reader can be given are one service to it: their counts add up."""
    found = samples(*[of(service, sold(lamp=count)) for service, count in counts.items()])
    assert abs(sum(found.values()) - sum(counts.values())) < 1e-3


def test_promtool_finds_nothing_to_say() -> None:
    text = page(of("shop", sold(lamp=1.0)), of('a "strange"\nname', sold(lamp=1.0)))
    check = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


def test_no_services_make_an_empty_page() -> None:
    assert page() == ""
