"""What the two formats say, byte for byte and as others read it."""

from __future__ import annotations

import math
import re
import subprocess
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import parser as text_parser
from prometheus_client.metrics_core import Metric as ParsedFamily
from prometheus_client.openmetrics import parser as openmetrics_parser

from stethoscope.exporters.exposition import Format, bound, escape_help, escape_label, number, render
from stethoscope.exporters.openmetrics import OPENMETRICS
from stethoscope.exporters.text import TEXT
from stethoscope.names import METRICS, OVERFLOW_LABEL, REQUEST_DURATION, WORKERS, Kind, Metric
from stethoscope.store.distribution import Distribution
from stethoscope.store.snapshot import Family, Series, Snapshot
from tests.exporters.snapshots import BORN, distribution, every_corner, histogram, large, snapshot
from tests.golden.pages import PAGES, path, rendered
from tests.servers import ROOT

Sample = tuple[str, frozenset[tuple[str, str]], str]
FORMATS = pytest.mark.parametrize("format", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])

COUNTER = Metric("things", Kind.COUNTER, "Things.", ("a", "b"))
GAUGE = Metric("level", Kind.GAUGE, "Level.", ("a", "b"))
HISTOGRAM = Metric("size_bytes", Kind.HISTOGRAM, "Sizes.", ("a", "b"), "bytes", (1.0, 10.0, 1e6))


def page(snapshot: Snapshot, format: Format, names: frozenset[str] | None = None) -> str:
    return b"".join(render(snapshot, format, names)).decode()


def parsed(text: str, format: Format) -> list[ParsedFamily]:
    read = openmetrics_parser if format is OPENMETRICS else text_parser
    return list(read.text_string_to_metric_families(text))


def samples_of(families: Iterable[ParsedFamily]) -> list[Sample]:
    return [
        (sample.name, frozenset(sample.labels.items()), repr(float(sample.value)))
        for family in families
        for sample in family.samples
    ]


def samples_in(snapshot: Snapshot, format: Format) -> Iterator[Sample]:
    """What a page has to say, found without the renderer."""
    for family in snapshot.families.values():
        for series in family.series:
            labels = dict(zip(family.metric.labels, series.labels, strict=True))
            named = frozenset((key, fit(value)) for key, value in labels.items() if value)
            if series.overflow:
                named |= {(OVERFLOW_LABEL, "true")}
            if series.pid:
                named |= {("pid", str(series.pid))}
            for suffix, extra, value in _values(family.metric, series, format):
                yield family.metric.name + suffix, named | extra, repr(float(value))


def _values(metric: Metric, series: Series, format: Format) -> Iterator[tuple[str, frozenset[tuple[str, str]], float]]:
    nothing: frozenset[tuple[str, str]] = frozenset()
    if isinstance(series.value, Distribution):
        for upper, count in zip((*metric.bounds, math.inf), series.value.cumulative, strict=True):
            yield "_bucket", frozenset({("le", bound(upper))}), count
        yield "_sum", nothing, series.value.sum
        yield "_count", nothing, series.value.count
    else:
        yield "_total" if metric.kind is Kind.COUNTER else "", nothing, series.value
    if format is OPENMETRICS and metric.kind is not Kind.GAUGE:
        yield "_created", nothing, series.created


def fit(value: str) -> str:
    """A label as readers are given it: what cannot be written is replaced."""
    return "".join("\ufffd" if _unfit(character) else character for character in value)


def _unfit(character: str) -> bool:
    code = ord(character)
    return (code < 32 and character not in "\t\n") or 0x7F <= code <= 0x9F or 0xD800 <= code <= 0xDFFF


@pytest.mark.parametrize("name", PAGES)
def test_page_is_the_golden_one(name: str) -> None:
    """B26: exact bytes. After a wanted change: ``python -m tests.golden.update``."""
    assert rendered(name).decode() == path(name).read_text("utf-8")


@FORMATS
def test_parser_of_the_field_reads_what_the_snapshot_holds(format: Format) -> None:
    """B26"""
    families = parsed(page(every_corner(), format), format)
    assert samples_of(families) == list(samples_in(every_corner(), format))
    kinds = {(family.metric.name, family.metric.kind.value) for family in every_corner().families.values()}
    assert {(family.name, family.type) for family in families} == kinds


label_values = st.tuples(st.text(max_size=12), st.text(st.sampled_from('\\"\n{},= é\x00\x1f\x85\ud800#'), max_size=6))


@FORMATS
@given(
    counters=st.dictionaries(label_values, st.floats(0, allow_infinity=True)),
    gauges=st.dictionaries(label_values, st.floats()),
    histograms=st.dictionaries(label_values, st.lists(st.floats(0, 1e12))),
    created=st.floats(0, 4e9),
)
@example(counters={("\x00", ""): 1.0, ("\x01", ""): 2.0}, gauges={}, histograms={}, created=1.0)
def test_whatever_is_recorded_is_read_back(
    format: Format,
    counters: dict[tuple[str, str], float],
    gauges: dict[tuple[str, str], float],
    histograms: dict[tuple[str, str], list[float]],
    created: float,
) -> None:
    """B26: any label and any number."""
    unique = {
        kind: {(fit(a), fit(b)): (a, b) for a, b in values}.values()
        for kind, values in (("c", counters), ("g", gauges), ("h", histograms))
    }
    given = snapshot(
        Family(COUNTER, tuple(Series(key, counters[key], created) for key in unique["c"])),
        Family(GAUGE, tuple(Series(key, gauges[key], created) for key in unique["g"])),
        Family(HISTOGRAM, tuple(Series(key, distribution(HISTOGRAM, histograms[key]), created) for key in unique["h"])),
    )
    assert samples_of(parsed(page(given, format), format)) == list(samples_in(given, format))


@given(st.text())
@example('a\\nb\n\\"\\')
@example("\x00\x07\x1b\x7f\x85\ud800\udfff")
@example("x" * 50_000)
def test_escaped_labels_and_helps_are_one_line_of_utf8_and_read_back(value: str) -> None:
    """B26: quotes, backslashes, newlines, NUL, lone surrogates, long ones."""
    given = Metric("x", Kind.GAUGE, f"Help {value}.", ("a",))
    for format in (TEXT, OPENMETRICS):
        text = page(snapshot(Family(given, (Series((f"a{value}",), 1.0, BORN),))), format)
        assert text.count("\n") == (4 if format is OPENMETRICS else 3)
        (family,) = parsed(text, format)
        assert family.samples[0].labels == {"a": fit(f"a{value}")}
        assert family.documentation == fit(f"Help {value}.")


def test_quotes_are_escaped_in_labels_but_not_in_helps_of_the_text_format() -> None:
    assert escape_label('a"\\\n') == r"a\"\\\n"
    assert escape_help('a"\\\n') == r"a" + '"' + r"\\\n"


@FORMATS
def test_series_that_differ_only_in_unwritable_characters_are_one(format: Format) -> None:
    """B26: a reader refuses the page in which a series comes twice."""
    given = snapshot(
        Family(COUNTER, (Series(("\x00", ""), 1.0, BORN), Series(("\x01", ""), 2.0, BORN - 1))),
        Family(HISTOGRAM, (histogram(HISTOGRAM, ["\x00", ""], [1]), histogram(HISTOGRAM, ["\x01", ""], [2, 3]))),
    )
    both = snapshot(
        Family(COUNTER, (Series(("\ufffd", ""), 3.0, BORN - 1),)),
        Family(HISTOGRAM, (histogram(HISTOGRAM, ["\ufffd", ""], [1, 2, 3]),)),
    )
    assert page(given, format) == page(both, format)


@FORMATS
def test_counts_and_sums_are_never_negative_or_no_number(format: Format) -> None:
    """B26"""
    state = distribution(HISTOGRAM, [1.0])
    given = snapshot(
        Family(COUNTER, (Series(("a", "b"), math.nan, BORN), Series(("c", "d"), -1.0, BORN))),
        Family(HISTOGRAM, (Series(("a", "b"), Distribution(state.buckets, state.cells, -0.5), BORN),)),
    )
    values = {
        (name, value) for name, _, value in samples_of(parsed(page(given, format), format)) if "bucket" not in name
    }
    assert {value for name, value in values if name in ("things_total", "size_bytes_sum")} == {"0.0"}


@given(st.lists(st.one_of(st.sampled_from([0.0, 1.0, 10.0, 1e6]), st.floats(0, 1e9))))
def test_a_bucket_counts_what_is_at_or_below_its_bound(values: list[float]) -> None:
    """B7, B26: exactly, in whatever order the values came, and the last is the count."""
    given = snapshot(Family(HISTOGRAM, (histogram(HISTOGRAM, ["", ""], values),)))
    lines = page(given, TEXT).splitlines()
    for text, upper in (("1.0", 1.0), ("10.0", 10.0), ("1e+06", 1e6), ("+Inf", math.inf)):
        assert f'size_bytes_bucket{{le="{text}"}} {sum(value <= upper for value in values)}' in lines
    assert f"size_bytes_count {len(values)}" in lines


@FORMATS
def test_overflow_series_has_no_label_but_its_mark(format: Format) -> None:
    """B26: and a metric's own empty labels are left out, so that it cannot be taken for another."""
    given = snapshot(Family(COUNTER, (Series(("", ""), 5.0, BORN, overflow=True), Series(("", ""), 2.0, BORN))))
    lines = page(given, format).splitlines()
    assert f'things_total{{{OVERFLOW_LABEL}="true"}} 5.0' in lines
    assert "things_total 2.0" in lines


def test_promtool_finds_nothing_to_say_about_our_own_metrics() -> None:
    """B26: names, units, suffixes and helps follow the field's rules."""
    # It would have no gauge end in _count; but so the conventions' names are, in their official translation.
    counts = [metric for metric in METRICS if metric.kind is Kind.GAUGE and metric.name.endswith("_count")]
    families = [Family(metric, (_one_series(metric),)) for metric in METRICS if metric not in counts]
    assert not [metric for metric in counts if metric.name.startswith("stethoscope_")]
    text = page(snapshot(*families), TEXT)
    check = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")
    explained = (
        (ROOT / "docs/troubleshooting.md").read_text().partition("complains of `_count`\n")[2].partition("\n## ")[0]
    )
    assert sorted(re.findall("`(\\w+_count)`", explained)) == sorted(metric.name for metric in counts)


def test_promtool_reads_every_corner() -> None:
    """B26"""
    check = subprocess.run(
        ["promtool", "check", "metrics"], input=page(every_corner(), TEXT), text=True, capture_output=True, check=False
    )
    assert "error while linting" not in check.stderr
    assert check.returncode == 0


def _one_series(metric: Metric) -> Series:
    value = distribution(metric, [0.01]) if metric.kind is Kind.HISTOGRAM else 1.0
    return Series(tuple("x" for _ in metric.labels), value, BORN)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.005, "0.005"), (1, "1.0"), (10.0, "10.0"), (100_000.0, "100000.0"), (1e6, "1e+06"), (1e10, "1e+10"),
        (1e-10, "1e-10"), (1e-05, "1e-05"), (1234567.5, "1.2345675e+06"), (1e16, "1e+16"), (1e100, "1e+100"),
        (math.inf, "+Inf"), (0.0, "0.0"), (123456789012345.0, "1.23456789012345e+14"),
    ],
)  # fmt: skip
def test_bounds_are_canonical(value: float, text: str) -> None:
    """B26: OpenMetrics 1.0, "Considerations: Canonical Numbers"."""
    assert bound(float(value)) == text
    assert float(text) == value


@given(st.floats())
def test_numbers_read_back_exactly(value: float) -> None:
    assert repr(float(number(value))) == repr(value)


def test_special_numbers_are_spelled_as_the_formats_want() -> None:
    assert [number(value) for value in (math.inf, -math.inf, math.nan)] == ["+Inf", "-Inf", "NaN"]


def test_unit_is_told_only_where_the_name_ends_with_it() -> None:
    text = page(every_corner(), OPENMETRICS)
    assert "# UNIT http_server_request_duration_seconds seconds\n" in text
    assert "# UNIT odd_values" not in text
    assert "# UNIT" not in page(every_corner(), TEXT)


@FORMATS
def test_families_come_once_and_series_together(format: Format) -> None:
    """B26: no interleaving, in the order of names."""
    text = page(every_corner(), format)
    types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(types) == len(set(types)) == len(every_corner().families)
    owners = [family.name for family in parsed(text, format) for _ in family.samples]
    assert owners == sorted(owners)


@FORMATS
@pytest.mark.parametrize("suffix", ["", "_bucket", "_sum", "_count"])
def test_a_sample_name_selects_its_whole_family(format: Format, suffix: str) -> None:
    """Half a histogram would be no valid OpenMetrics."""
    chosen = page(every_corner(), format, frozenset({REQUEST_DURATION.name + suffix, "unknown"}))
    only = Snapshot("shop", 0.0, {REQUEST_DURATION.name: every_corner().family(REQUEST_DURATION)})
    assert chosen == page(only, format)


def test_counters_are_selected_with_and_without_total() -> None:
    given = snapshot(Family(COUNTER, (Series(("", ""), 2.0, BORN),)), Family(WORKERS, (Series((), 1.0, BORN),)))
    assert page(given, TEXT, frozenset({"things"})) == page(given, TEXT, frozenset({"things_total"}))
    assert "stethoscope_workers" not in page(given, TEXT, frozenset({"things"}))


@FORMATS
def test_unknown_names_give_an_empty_page(format: Format) -> None:
    assert page(every_corner(), format, frozenset({"unknown"})) == format.end.decode()


def test_sample_names_are_those_that_parsers_take_for_the_family() -> None:
    assert COUNTER.sample_names == ("things", "things_total", "things_created")


@FORMATS
def test_big_pages_come_in_small_chunks(format: Format) -> None:
    """B25: what is rendered at once is what an event loop may have to wait for."""
    chunks = list(render(large(routes=100), format))
    assert len(chunks) > 25
    assert max(map(len, chunks)) < 150_000
    for chunk in chunks:
        chunk.decode()


@FORMATS
def test_what_others_expose_comes_before_the_end(format: Format) -> None:
    other = b"# HELP other Other.\n# TYPE other gauge\nother 1.0\n"
    text = b"".join(render(every_corner(), format, also=other)).decode()
    assert text == page(every_corner(), format).removesuffix(format.end.decode()) + other.decode() + format.end.decode()
    assert "other" in {family.name for family in parsed(text, format)}
