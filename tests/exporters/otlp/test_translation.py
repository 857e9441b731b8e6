"""Snapshot to OTLP, read back from the bytes of the official protobuf classes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric as Encoded
from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from stethoscope.exporters.otlp.translation import translate
from stethoscope.names import ACTIVE_REQUESTS, REQUEST_DURATION, WEBSOCKET_BYTES, Kind, Merge, Metric
from stethoscope.store.buckets import SCALE, buckets_for
from stethoscope.store.distribution import Distribution
from stethoscope.store.snapshot import Family, Series, Snapshot
from tests.exporters.snapshots import BORN, PER_WORKER, PLAIN, distribution, every_corner, histogram

TAKEN = BORN + 60
GET = ["GET", "/items/{id}", "200", "http", ""]


def sent(family: Family, since: float | None = None, exponential: bool = False) -> Encoded:
    """A family as a receiver reads it."""
    metric = translate(family, TAKEN, since=since, exponential=exponential)
    scope = ScopeMetrics(InstrumentationScope("test"), [metric], "")
    data = encode_metrics(MetricsData([ResourceMetrics(Resource({}), [scope], "")]))
    request = ExportMetricsServiceRequest.FromString(data.SerializeToString())
    return request.resource_metrics[0].scope_metrics[0].metrics[0]


def plain(attributes: list[KeyValue]) -> dict[str, object]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value") or "") for one in attributes}


def nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)


@pytest.mark.parametrize("family", every_corner().families.values(), ids=lambda family: family.metric.name)
@pytest.mark.parametrize("exponential", [False, True])
def test_every_corner_can_be_encoded(family: Family, exponential: bool) -> None:
    metric = sent(family, exponential=exponential)
    assert metric.name == (family.metric.otel or family.metric.name)
    data = getattr(metric, metric.WhichOneof("data") or "gauge")
    assert len(data.data_points) == len(family.series)


def test_a_request_duration_has_the_names_and_types_of_the_conventions() -> None:
    metric = sent(Family(REQUEST_DURATION, (histogram(REQUEST_DURATION, GET, [0.3, 0.3, 0.004, 11.0]),)))
    assert (metric.name, metric.unit) == ("http.server.request.duration", "s")
    (point,) = metric.histogram.data_points
    assert plain(list(point.attributes)) == {
        "http.request.method": "GET",
        "http.route": "/items/{id}",
        "http.response.status_code": 200,
        "url.scheme": "http",
    }
    assert list(point.explicit_bounds) == list(REQUEST_DURATION.bounds)
    assert list(point.bucket_counts) == [1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1]
    assert point.count == 4
    assert point.sum == pytest.approx(11.604)
    assert (point.start_time_unix_nano, point.time_unix_nano) == (nanoseconds(BORN), nanoseconds(TAKEN))
    assert not point.HasField("min")
    assert not point.HasField("max")


@given(st.lists(st.floats(0, 1e6), max_size=60))
def test_both_forms_of_a_histogram_are_the_same_counts(values: list[float]) -> None:
    family = Family(PLAIN, (histogram(PLAIN, [], values),))
    (explicit,) = sent(family).histogram.data_points
    (exponential,) = sent(family, exponential=True).exponential_histogram.data_points
    assert sum(explicit.bucket_counts) == explicit.count == exponential.count == len(values)
    assert exponential.scale == SCALE
    positive = exponential.positive
    assert exponential.zero_count == values.count(0.0)
    assert sum(positive.bucket_counts) == len(values) - exponential.zero_count
    base, low, high = 2 ** (2.0**-SCALE), 2.0**-30, 2.0**40
    inside = sorted(value for value in values if low < value <= high)
    upper = [
        base ** (positive.offset + place + 1)
        for place, count in enumerate(positive.bucket_counts)
        for _ in range(count)
    ][len(values) - exponential.zero_count - len(inside) :]
    for value, bound in zip(inside, upper, strict=True):
        assert value <= bound * (1 + 1e-12)
        assert value > bound / base * (1 - 1e-12)


def test_gauges_that_add_up_are_sums_that_can_fall() -> None:
    metric = sent(Family(ACTIVE_REQUESTS, (Series(("GET", "http"), 3.0, BORN),)), since=BORN + 30)
    assert metric.sum.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    assert not metric.sum.is_monotonic
    assert metric.sum.data_points[0].start_time_unix_nano == nanoseconds(BORN)


def test_gauges_of_single_workers_have_their_pid() -> None:
    metric = sent(Family(PER_WORKER, (Series(("",), 1.0, BORN, pid=41), Series(("api",), 2.0, BORN, pid=42))))
    points = [(plain(list(point.attributes)), point.as_double) for point in metric.gauge.data_points]
    assert points == [({"process.pid": 41}, 1.0), ({"role": "api", "process.pid": 42}, 2.0)]


def test_what_the_cap_refused_is_one_point_with_the_overflow_attribute() -> None:
    metric = sent(Family(REQUEST_DURATION, (histogram(REQUEST_DURATION, [""] * 5, [0.1], overflow=True),)))
    assert plain(list(metric.histogram.data_points[0].attributes)) == {"otel.metric.overflow": True}


def test_counters_are_neither_negative_nor_no_number() -> None:
    series = (Series(("/a", "send"), math.nan, BORN), Series(("/b", "send"), -1.0, BORN))
    metric = sent(Family(WEBSOCKET_BYTES, series))
    assert metric.sum.is_monotonic
    assert metric.unit == "By"
    assert [point.as_double for point in metric.sum.data_points] == [0.0, 0.0]


def test_metrics_of_users_keep_names_and_labels() -> None:
    mine = Metric("shop_http_prices_euros", Kind.GAUGE, "Prices.", ("http_route", "sku"), "euros", merge=Merge.MAX)
    metric = sent(Family(mine, (Series(("/x", "lone \ud800"), math.inf, BORN),)))
    assert (metric.name, metric.unit) == ("shop_http_prices_euros", "euros")
    (point,) = metric.gauge.data_points
    assert (plain(list(point.attributes)), point.as_double) == ({"http_route": "/x", "sku": "lone \ufffd"}, math.inf)


def test_differences_start_where_the_last_ended_and_leave_out_what_did_not_change() -> None:
    before = _two(histogram(REQUEST_DURATION, GET, [0.1]), histogram(REQUEST_DURATION, ["POST", *GET[1:]], [0.1]))
    newer = distribution(REQUEST_DURATION, [0.1, 0.3])
    young = Series(("PUT", *GET[1:]), newer, BORN + 50)
    after = _two(Series(tuple(GET), newer, BORN), histogram(REQUEST_DURATION, ["POST", *GET[1:]], [0.1]), young)
    difference = after.minus(before, 30).families[REQUEST_DURATION.name]
    metric = sent(difference, since=BORN + 30)
    assert metric.histogram.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    assert [(point.count, point.start_time_unix_nano) for point in metric.histogram.data_points] == [
        (1, nanoseconds(BORN + 30)),
        (2, nanoseconds(BORN + 50)),
    ]


def _two(*series: Series) -> Snapshot:
    return Snapshot("shop", TAKEN, {REQUEST_DURATION.name: Family(REQUEST_DURATION, series)})


def test_what_lies_beyond_the_range_is_in_the_outermost_buckets() -> None:
    buckets = buckets_for(REQUEST_DURATION)
    cells = {1: 2, len(buckets.bounds): 3}
    family = Family(REQUEST_DURATION, (Series(tuple(GET), Distribution(buckets, cells, 1.0), BORN),))
    (point,) = sent(family, exponential=True).exponential_histogram.data_points
    counts = point.positive.bucket_counts
    assert (counts[0], counts[-1], point.count) == (2, 3, 5)
