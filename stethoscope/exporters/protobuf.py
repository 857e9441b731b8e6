"""Snapshot to Prometheus' protobuf exposition: delimited messages ``io.prometheus.client.MetricFamily``.

The one format in which Prometheus reads native histograms (prometheus/client_model, ``metrics.proto``; prometheus.io,
"Exposition formats"). Histograms have both forms in it, explicit buckets and a native histogram: the reader keeps
what it wants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from stethoscope.exporters.distinct import distinct, encodable
from stethoscope.exporters.native import ZERO_THRESHOLD, Span, native
from stethoscope.exporters.wire import delimited, double, message, number, packed, signed
from stethoscope.names import OVERFLOW_LABEL, Kind, Metric
from stethoscope.store.distribution import Distribution
from stethoscope.store.snapshot import Exemplar, Family, Series, Snapshot

_TYPES: Final = {Kind.COUNTER: 0, Kind.GAUGE: 1, Kind.HISTOGRAM: 4}
_SERIES_PER_TURN: Final = 16
"""About 0.5 ms of encoding for a histogram of a hundred buckets."""


class Protobuf:
    """The format. Its pages are bytes that cannot be cut and joined but between messages."""

    content_type: Final = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

    def render(self, snapshot: Snapshot, names: frozenset[str] | None = None, also: bytes = b"") -> Iterator[bytes]:
        """One message a family, as `stethoscope.exporters.exposition.render` has it for text.

        Yields nothing now and then while a message grows, for others to have their turn.
        """
        for family in snapshot.families.values():
            if names is None or not names.isdisjoint(family.metric.sample_names):
                yield from _family(family)
        if also:
            yield also


PROTOBUF: Final = Protobuf()


def _family(family: Family) -> Iterator[bytes]:
    metric = family.metric
    # As in the text format, a counter's family is named as its samples are.
    name = f"{metric.name}_total" if metric.kind is Kind.COUNTER else metric.name
    parts = [
        message(1, name.encode()),
        message(2, encodable(metric.help).encode()),
        number(3, _TYPES[metric.kind]),
    ]
    for place, (labels, series) in enumerate(distinct(family, _labels)):
        parts.append(message(4, labels + _value(metric, series)))
        if place % _SERIES_PER_TURN == 0:
            yield b""
    yield delimited(b"".join(parts))


def _labels(metric: Metric, series: Series) -> bytes:
    pairs = [(name, encodable(value)) for name, value in zip(metric.labels, series.labels, strict=True) if value]
    if series.overflow:
        pairs.append((OVERFLOW_LABEL, "true"))
    if series.pid:
        pairs.append(("pid", str(series.pid)))
    return _pairs(pairs)


def _pairs(pairs: Iterable[tuple[str, str]]) -> bytes:
    return b"".join([message(1, message(1, name.encode()) + message(2, value.encode())) for name, value in pairs])


def _value(metric: Metric, series: Series) -> bytes:
    value = series.value
    if isinstance(value, Distribution):
        return message(7, _histogram(metric, series, value) + _timestamp(15, series.created))
    if metric.kind is Kind.COUNTER:
        # Neither NaN nor negative: max() answers 0.0 for both.
        return message(3, double(1, max(0.0, value)) + _timestamp(3, series.created))
    return message(2, double(1, value))


def _histogram(metric: Metric, series: Series, distribution: Distribution) -> bytes:
    sparse = native(distribution)
    explicit = [
        message(3, number(1, count) + double(2, upper) + _exemplar((series.exemplars or {}).get(bucket)))
        for bucket, (count, upper) in enumerate(
            zip(distribution.cumulative, chain(metric.bounds, (float("inf"),)), strict=True)
        )
    ]
    return b"".join(
        [
            number(1, distribution.count),
            double(2, max(0.0, distribution.sum)),
            *explicit,
            signed(5, sparse.schema),
            double(6, ZERO_THRESHOLD),
            number(7, sparse.zeros),
            *[message(12, _span(span)) for span in sparse.spans],
            packed(13, sparse.deltas) if sparse.deltas else b"",
        ]
    )


def _exemplar(exemplar: Exemplar | None) -> bytes:
    if exemplar is None:
        return b""
    ids = (("trace_id", f"{exemplar.trace_id:032x}"), ("span_id", f"{exemplar.span_id:016x}"))
    return message(3, _pairs(ids) + double(2, exemplar.value) + _timestamp(3, exemplar.stamp))


def _span(span: Span) -> bytes:
    return signed(1, span.offset) + number(2, span.length)


def _timestamp(field: int, seconds: float) -> bytes:
    """A google.protobuf.Timestamp."""
    whole = int(seconds)
    return message(field, number(1, whole) + number(2, int((seconds - whole) * 1e9)))
