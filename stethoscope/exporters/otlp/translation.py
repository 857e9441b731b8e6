"""Snapshot to OTLP: a service's families as the metrics of the official SDK's data model.

Pure: data from numbers, nothing about how they travel (OpenTelemetry specification, "Metrics Data Model").

- Counters become monotonic sums. Gauges that add up over workers become sums that are not monotonic, as an
  UpDownCounter's are; all others become gauges.
- Histograms become explicit buckets, or base-2 exponential ones of scale 6. Both are made of the same cells,
  without loss; see `stethoscope.store.buckets`. Smallest and greatest value are not known, and not sent.
- A point starts when its series was made by whichever worker came first, dead ones included; a difference
  starts where the one before it ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.metrics.export import (
    Metric as Exported,
)

from stethoscope.exporters.distinct import distinct, encodable
from stethoscope.names import OVERFLOW_LABEL, Kind, Merge, Metric
from stethoscope.names.attributes import WHOLE_NUMBERS, attribute
from stethoscope.store.buckets import SCALE
from stethoscope.store.distribution import Distribution
from stethoscope.store.snapshot import Family, Series

_Attributes = tuple[tuple[str, str | int | bool], ...]
_Keyed = tuple[_Attributes, Series]

_UNITS: Final = {"seconds": "s", "bytes": "By", "ratio": "1"}
_ADDED_UP: Final = frozenset((Merge.SUM, Merge.LIVESUM))
_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_NO_VALUES: Final = Buckets(0, ())
_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE
_DELTA: Final = AggregationTemporality.DELTA


def translate(family: Family, taken_at: float, *, since: float | None = None, exponential: bool = False) -> Exported:
    """A family as one metric. Times are Unix times in seconds.

    With ``since`` the family's numbers are differences that count from there, as `Snapshot.minus` gives them, and
    series of which nothing was recorded are left out. ``exponential`` chooses the form of histograms.
    """
    metric = family.metric
    temporality = _CUMULATIVE if since is None else _DELTA
    points = _Points(metric, _nanoseconds(taken_at), since)
    series = distinct(family, points.attributes)
    data: Sum | Gauge | Histogram | ExponentialHistogram
    if metric.kind is Kind.HISTOGRAM:
        if exponential:
            data = ExponentialHistogram(list(points.exponential(series)), temporality)
        else:
            data = Histogram(list(points.explicit(series)), temporality)
    elif metric.kind is Kind.COUNTER:
        data = Sum(list(points.counts(series)), temporality, is_monotonic=True)
    elif metric.merge in _ADDED_UP:
        data = Sum(list(points.levels(series)), _CUMULATIVE, is_monotonic=False)
    else:
        data = Gauge(list(points.levels(series)))
    return Exported(metric.otel or metric.name, encodable(metric.help), _UNITS.get(metric.unit, metric.unit), data)


class _Points:
    """Makes the points of one family."""

    def __init__(self, metric: Metric, time: int, since: float | None) -> None:
        self._metric = metric
        self._time = time
        self._since = since
        self._names = [attribute(label) if metric.otel else label for label in metric.labels]

    def counts(self, all_series: Iterable[_Keyed]) -> Iterator[NumberDataPoint]:
        for attributes, series in all_series:
            # Neither NaN nor negative: max() answers 0.0 for both.
            value = max(0.0, _number(series))
            if value or self._since is None:
                yield NumberDataPoint(dict(attributes), self._start(series), self._time, value)

    def levels(self, all_series: Iterable[_Keyed]) -> Iterator[NumberDataPoint]:
        for attributes, series in all_series:
            start = _nanoseconds(series.created)
            yield NumberDataPoint(dict(attributes), start, self._time, _number(series))

    def explicit(self, all_series: Iterable[_Keyed]) -> Iterator[HistogramDataPoint]:
        for attributes, series, distribution in self._distributions(all_series):
            cumulative = distribution.cumulative
            counts = [count - below for count, below in zip(cumulative, (0, *cumulative), strict=False)]
            yield HistogramDataPoint(
                dict(attributes),
                self._start(series),
                self._time,
                distribution.count,
                max(0.0, distribution.sum),
                counts,
                self._metric.bounds,
                None,  # type: ignore[arg-type]  # optional in OTLP, and encoded as not there
                None,  # type: ignore[arg-type]
                _exemplars(series),
            )

    def exponential(self, all_series: Iterable[_Keyed]) -> Iterator[ExponentialHistogramDataPoint]:
        for attributes, series, distribution in self._distributions(all_series):
            zeros, counts = distribution.buckets.exponential(distribution.cells)
            yield ExponentialHistogramDataPoint(
                dict(attributes),
                self._start(series),
                self._time,
                zeros + sum(counts.values()),
                max(0.0, distribution.sum),
                SCALE,
                zeros,
                _dense(counts),
                _NO_VALUES,
                0,
                None,  # type: ignore[arg-type]  # as above
                None,  # type: ignore[arg-type]
                _exemplars(series),
            )

    def _distributions(self, all_series: Iterable[_Keyed]) -> Iterator[tuple[_Attributes, Series, Distribution]]:
        for attributes, series in all_series:
            assert isinstance(series.value, Distribution)
            if self._since is None or series.value.count:
                yield attributes, series, series.value

    def _start(self, series: Series) -> int:
        return _nanoseconds(series.created if self._since is None else max(series.created, self._since))

    def attributes(self, metric: Metric, series: Series) -> _Attributes:
        # An empty value and an absent attribute are the same, as in an exposition.
        attributes: list[tuple[str, str | int | bool]] = [
            (name, int(value) if name in WHOLE_NUMBERS and _DIGITS.fullmatch(value) else encodable(value))
            for name, value in zip(self._names, series.labels, strict=True)
            if value
        ]
        if series.overflow:
            attributes.append((attribute(OVERFLOW_LABEL), True))
        if series.pid:
            attributes.append((attribute("pid"), series.pid))
        return tuple(attributes)


def _exemplars(series: Series) -> list[Exemplar]:
    found = (series.exemplars or {}).values()
    return [Exemplar({}, one.value, _nanoseconds(one.stamp), one.span_id, one.trace_id) for one in found]


def _number(series: Series) -> float:
    assert not isinstance(series.value, Distribution)
    return series.value


def _dense(counts: dict[int, int]) -> Buckets:
    if not counts:
        return _NO_VALUES
    first = min(counts)
    return Buckets(first, [counts.get(index, 0) for index in range(first, max(counts) + 1)])


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
