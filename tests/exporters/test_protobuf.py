"""What the protobuf format says, as the official protobuf runtime reads it."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stethoscope.exporters.native import MOST_BUCKETS, ZERO_THRESHOLD, native
from stethoscope.exporters.protobuf import PROTOBUF
from stethoscope.exporters.text import TEXT
from stethoscope.exporters.text_to_protobuf import to_protobuf
from stethoscope.exporters.wire import number, signed, varint
from stethoscope.names import Kind, Metric
from stethoscope.store.buckets import SCALE
from stethoscope.store.snapshot import Family, Series, Snapshot
from tests.exporters.client_model import families
from tests.exporters.snapshots import BORN, PLAIN, distribution, every_corner, histogram, large, snapshot

TYPES = {Kind.COUNTER: 0, Kind.GAUGE: 1, Kind.HISTOGRAM: 4}
WIDE = Metric("wide_seconds", Kind.HISTOGRAM, "Wide.", (), "seconds", (0.1, 1.0))


def read(snapshot: Snapshot, names: frozenset[str] | None = None, also: bytes = b"") -> dict[str, Any]:
    return {family.name: family for family in families(b"".join(PROTOBUF.render(snapshot, names, also)))}


def labels(metric: Any) -> dict[str, str]:
    return {pair.name: pair.value for pair in metric.label}


def test_every_corner_is_read_back() -> None:
    taken = every_corner()
    found = read(taken)
    assert len(found) == len(taken.families)
    for family in taken.families.values():
        suffix = "_total" if family.metric.kind is Kind.COUNTER else ""
        message = found[family.metric.name + suffix]
        assert message.type == TYPES[family.metric.kind]
        assert message.help == family.metric.help
        assert len(message.metric) == len(family.series)
        for metric, series in zip(message.metric, family.series, strict=True):
            expected = dict(zip(family.metric.labels, series.labels, strict=True))
            told = {key: value.replace("\ud800", "\ufffd") for key, value in expected.items() if value}
            assert told.items() <= labels(metric).items()
            assert ("otel_metric_overflow" in labels(metric)) is series.overflow
            assert labels(metric).get("pid", "0") == str(series.pid)
            _assert_value(metric, family.metric, series)


def _assert_value(metric: Any, definition: Metric, series: Series) -> None:
    value = series.value
    if isinstance(value, float):
        read_back = metric.counter.value if definition.kind is Kind.COUNTER else metric.gauge.value
        assert read_back == value or (math.isnan(read_back) and math.isnan(value))
        return
    read_back = metric.histogram
    assert [bucket.cumulative_count for bucket in read_back.bucket] == list(value.cumulative)
    assert [bucket.upper_bound for bucket in read_back.bucket] == [*definition.bounds, math.inf]
    assert (read_back.sample_count, read_back.sample_sum) == (value.count, value.sum)
    assert read_back.created_timestamp.seconds + read_back.created_timestamp.nanos / 1e9 == BORN
    assert read_back.zero_threshold == ZERO_THRESHOLD
    assert sum(accumulate(read_back.positive_delta)) + read_back.zero_count == value.count


@given(st.lists(st.floats(0, 1e9), max_size=80), st.integers(7, 40))
def test_a_native_histogram_loses_nothing_but_resolution(values: list[float], most: int) -> None:
    found = native(distribution(PLAIN, values), most)
    counts = list(accumulate(found.deltas))
    assert found.zeros + sum(counts) == len(values)
    assert found.zeros == values.count(0.0)
    assert len(counts) <= most
    assert 0 not in counts
    growth = 2.0 ** (2.0**-found.schema)
    inside = sorted(min(value, 2.0**40) for value in values if value > 2.0**-30)
    uppers = [growth**index for index, count in zip(_indexes(found.spans), counts, strict=True) for _ in range(count)]
    for value, upper in zip(inside, uppers[len(uppers) - len(inside) :], strict=True):
        assert upper / growth * (1 - 1e-9) < value <= upper * (1 + 1e-9)


def _indexes(spans: Any) -> list[int]:
    found: list[int] = []
    place = 0
    for offset, length in spans:
        place += offset
        found += range(place, place + length)
        place += length
    return found


def test_resolution_is_halved_only_where_there_are_too_many_buckets() -> None:
    narrow = native(distribution(WIDE, [0.1 * 1.01**step for step in range(100)]))
    assert narrow.schema == SCALE
    wide = native(distribution(WIDE, [1e-6 * 1.01**step for step in range(2200)]))
    assert wide.schema == 3
    assert len(wide.deltas) <= MOST_BUCKETS


def test_nothing_counted_yet_is_a_native_histogram_all_the_same() -> None:
    page = read(snapshot(Family(PLAIN, (histogram(PLAIN, [], []),))))
    found = page[PLAIN.name].metric[0].histogram
    assert found.zero_threshold > 0
    assert not found.positive_span
    assert not found.positive_delta


def test_only_what_is_asked_for_is_given() -> None:
    assert set(read(every_corner(), frozenset({"plain_numbers_sum", "odd_values"}))) == {"plain_numbers", "odd_values"}


def test_others_have_their_turn_while_a_big_family_is_encoded() -> None:
    chunks = list(PROTOBUF.render(large()))
    assert sum(not chunk for chunk in chunks) >= 3 * 600 / 16


TEXT_PAGE = rb"""# HELP jobs_total Jobs, "done" \\ or
# TYPE jobs_total counter
jobs_total{queue="a\"b\\c\nd"} 5.0 1700000000000
# HELP took_seconds Took.
# TYPE took_seconds histogram
took_seconds_bucket{le="0.1",queue="a"} 1.0
took_seconds_bucket{le="+Inf",queue="a"} 3.0
took_seconds_count{queue="a"} 3.0
took_seconds_sum{queue="a"} 4.5
# HELP size Size.
# TYPE size summary
size{quantile="0.5"} 7.0
size_count 2.0
size_sum 9.0
# TYPE odd untyped
odd NaN
what is this
# TYPE info gauge
info{version="1"} 1.0
"""


def test_text_of_another_library_becomes_the_same_families() -> None:
    found = {family.name: family for family in families(to_protobuf(TEXT_PAGE))}
    assert set(found) == {"jobs_total", "took_seconds", "size", "odd", "info"}
    (jobs,) = found["jobs_total"].metric
    assert (labels(jobs), jobs.counter.value) == ({"queue": 'a"b\\c\nd'}, 5.0)
    assert found["jobs_total"].help == 'Jobs, "done" \\ or'
    (took,) = found["took_seconds"].metric
    assert labels(took) == {"queue": "a"}
    assert [(one.cumulative_count, one.upper_bound) for one in took.histogram.bucket] == [(1, 0.1), (3, math.inf)]
    assert (took.histogram.sample_count, took.histogram.sample_sum) == (3, 4.5)
    (size,) = found["size"].metric
    assert (size.summary.sample_count, size.summary.quantile[0].value) == (2, 7.0)
    assert math.isnan(found["odd"].metric[0].untyped.value)
    assert found["info"].metric[0].gauge.value == 1.0


@pytest.mark.parametrize("character", "\v\f\r\x1c\x1d\x1e\x85\u2028\u2029")
def test_what_ends_a_line_elsewhere_is_part_of_a_label_and_a_help_text(character: str) -> None:
    page = f'# HELP jobs Jobs{character}done.\n# TYPE jobs gauge\njobs{{queue="a{character}b"}} 5.0\n'
    [family] = families(to_protobuf(page.encode()))
    assert family.help == f"Jobs{character}done."
    assert [(labels(one), one.gauge.value) for one in family.metric] == [({"queue": f"a{character}b"}, 5.0)]


def test_what_we_render_ourselves_as_text_can_be_converted_too() -> None:
    direct, converted = read(every_corner()), read(snapshot(), None, to_protobuf(b"".join(TEXT.render(every_corner()))))
    assert set(direct) == set(converted)
    assert [len(family.metric) for family in direct.values()] == [len(family.metric) for family in converted.values()]


@pytest.mark.parametrize(("value", "encoded"), [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02")])
def test_numbers_are_written_as_the_specification_has_them(value: int, encoded: bytes) -> None:
    assert varint(value) == encoded


def test_signed_numbers_near_zero_are_short() -> None:
    assert signed(1, -1) == b"\x08\x01"
    assert signed(1, 1) == b"\x08\x02"
    assert number(1, 0) == b""
