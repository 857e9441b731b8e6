"""Which series a process has: those of each metric by label values, up to a cap, and one for everything beyond it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from stethoscope import names
from stethoscope.names import Kind, Metric
from stethoscope.store.reporting import ReportingLock
from stethoscope.store.series import HistogramSeries, Scalar, make_histogram, make_scalar

AnySeries = Scalar | HistogramSeries


class Entry(NamedTuple):
    """What a series is of. ``overflow`` marks the one that holds what the cap refused; its label values are empty."""

    metric: Metric
    labels: tuple[str, ...]
    overflow: bool = False


Attach = Callable[[AnySeries, Entry, int | None], bool]
"""Gives a series its place, and the block with this number if one is asked for; returns whether there was room."""


class Catalogue:
    """Makes series as they are asked for. Safe in any thread, under ``lock``.

    ``cap`` bounds the series of each metric. ``attach`` is called when a series records for the first time.
    """

    def __init__(self, cap: int, lock: ReportingLock, attach: Attach) -> None:
        self._cap = cap
        self._lock = lock
        self._attach = attach
        self._series: dict[str, dict[tuple[str, ...], AnySeries]] = {}
        self._overflows: dict[str, AnySeries] = {}
        self._metrics: dict[str, Metric] = {}

    def find(self, metric: Metric, labels: tuple[str, ...]) -> AnySeries:
        """The series with these label values, made if need be, or the metric's overflow series.

        Raises ValueError where another metric has this name.
        """
        try:
            return self._series[metric.name][labels]
        except KeyError:
            return self._add(metric, labels)

    def has(self, metric: Metric, labels: tuple[str, ...]) -> bool:
        """Whether these label values have a series of their own by now, which the overflow series is not."""
        return labels in self._series.get(metric.name, ())

    def of(self, metric: Metric) -> list[AnySeries]:
        """The series of a metric, without its overflow series."""
        return list(self._series.get(metric.name, {}).values())

    def __iter__(self) -> Iterator[AnySeries]:
        for of_metric in self._series.values():
            yield from of_metric.values()
        yield from self._overflows.values()

    def _add(self, metric: Metric, labels: tuple[str, ...]) -> AnySeries:
        with self._lock.held:
            known = self._metrics.setdefault(metric.name, metric)
            if known != metric:
                raise ValueError(f"metric {metric.name!r} exists already as {known}; it cannot be {metric} as well")
            of_metric = self._series.setdefault(metric.name, {})
            if labels not in of_metric and len(of_metric) >= self._cap:
                series = self._overflow(metric)
            else:
                series = of_metric.setdefault(labels, self._make(Entry(metric, labels)))
        self._lock.tell()
        return series

    def _overflow(self, metric: Metric) -> AnySeries:
        if metric.name not in self._overflows:
            entry = Entry(metric, ("",) * len(metric.labels), overflow=True)
            self._overflows.setdefault(metric.name, self._make(entry))
            self._lock.report_once(
                f"cap {metric.name}",
                "%s has %d series; further label sets are recorded as one overflow series",
                metric.name,
                self._cap,
            )
        if metric is not names.OVERFLOWED_SERIES:
            overflowed = self.find(names.OVERFLOWED_SERIES, (metric.name,))
            assert isinstance(overflowed, Scalar)
            overflowed.add(1.0)
        return self._overflows[metric.name]

    def _make(self, entry: Entry) -> AnySeries:
        if entry.metric.kind is Kind.HISTOGRAM:
            return make_histogram(entry.metric, lambda series, block: self._attach(series, entry, block))
        return make_scalar(lambda series: self._attach(series, entry, None))
