"""What is fixed about a metric: its kind, how workers merge, and the shapes that many share."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Merge(StrEnum):
    """How one gauge series of several workers becomes one value.

    ``live…`` modes look at living workers only. The others keep the last value of workers that
    have ended. ``ALL`` and ``LIVEALL`` do not merge: each living worker is a series of its own,
    told apart by a ``pid`` label.
    """

    ALL = "all"
    LIVEALL = "liveall"
    SUM = "sum"
    LIVESUM = "livesum"
    MIN = "min"
    LIVEMIN = "livemin"
    MAX = "max"
    LIVEMAX = "livemax"
    MOSTRECENT = "mostrecent"
    LIVEMOSTRECENT = "livemostrecent"


PER_WORKER = frozenset((Merge.ALL, Merge.LIVEALL))
"""Modes in which the series of workers are not merged."""


_SUFFIXES = {
    Kind.COUNTER: ("", "_total", "_created"),
    Kind.GAUGE: ("",),
    Kind.HISTOGRAM: ("", "_bucket", "_count", "_sum", "_created"),
}


class Metric(NamedTuple):
    """What is fixed about a metric, whoever records it.

    ``name`` is the Prometheus family name without ``_total``; ``otel`` the name in OpenTelemetry
    form; ``unit`` a base unit ("seconds", "bytes") or empty; ``bounds`` the inclusive upper bounds of
    a histogram's explicit buckets, ascending, without infinity.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    bounds: tuple[float, ...] = ()
    merge: Merge = Merge.LIVESUM
    otel: str = ""

    @property
    def sample_names(self) -> tuple[str, ...]:
        """The family's name and all that its samples can have, in any exposition format."""
        return tuple([self.name + suffix for suffix in _SUFFIXES[self.kind]])


OVERFLOW_LABEL = "otel_metric_overflow"
"""Label of the one series that takes what a metric's series cap refuses (OpenTelemetry metrics SDK, "Overflow attribute")."""

# HTTP semantic conventions, "Metric: http.server.request.duration", explicit bucket boundaries.
DURATION_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
SIZE_BOUNDS = (1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8)


def seconds(name: str, help: str, labels: tuple[str, ...], otel: str = "") -> Metric:
    return Metric(name, Kind.HISTOGRAM, help, labels, "seconds", DURATION_BOUNDS, otel=otel)


def sizes(name: str, help: str, labels: tuple[str, ...], otel: str = "") -> Metric:
    return Metric(name, Kind.HISTOGRAM, help, labels, "bytes", SIZE_BOUNDS, otel=otel)
