"""Metrics of the user's own, in the call shape of prometheus_client, and right across all workers.

What is different from prometheus_client, because numbers here are shared by processes that come and go:

- a metric has no registry: it is recorded into the service of the app, or in a script into the service
  that the environment names; which one is found at the first record, never when the metric is made;
- the same definition made twice is the same metric, another one under its name is an error;
- nothing is taken back: no `remove`, `clear` or `reset`, and no functions as values of gauges;
- an observation that means nothing (NaN, infinite; negative in a histogram) is not recorded, and counted
  in ``stethoscope_refused_observations_total``;
- exemplars are accepted and not kept.

All methods can be called by any thread, and after a fork.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from types import TracebackType
from typing import ClassVar, Final, NoReturn, Self

from stethoscope.instruments.block import Block
from stethoscope.instruments.definitions import define
from stethoscope.instruments.labelled import Labelled
from stethoscope.instruments.recording import find_histogram, find_scalar, refuse, report
from stethoscope.instruments.stopwatch import Stopwatch
from stethoscope.names import DURATION_BOUNDS, Kind, Merge
from stethoscope.store.buckets import buckets_for
from stethoscope.store.registry import default_recorder
from stethoscope.store.series import HistogramSeries, Scalar

_INFINITY: Final = float("inf")


class _Number(Labelled[Scalar]):
    """A metric whose series are one number each."""

    __slots__ = ()

    def _of_recorder(self) -> Scalar:
        return find_scalar(self._definition, self._labels)

    def _add(self, amount: float) -> None:
        series = self._series or self._find()
        try:
            series.add(float(amount))
        except OverflowError:  # a whole number that no float can hold
            refuse(self._definition)
        except Exception as error:
            report(repr(self), error)


class Counter(_Number):
    """Counts events, or adds up amounts: a number that only grows.

    ``name`` may end in ``_total`` or not; what is exposed does. With ``labelnames`` the metric is a
    family of series, one for each set of values: see `labels`. ``namespace``, ``subsystem`` and
    ``unit`` become parts of the name. Raises ValueError for names that cannot be and for another
    definition under the same name, TypeError for arguments of a wrong type.
    """

    __slots__ = ()

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Iterable[str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
    ) -> None:
        self._define(
            define(Kind.COUNTER, name, documentation, labelnames, namespace=namespace, subsystem=subsystem, unit=unit)
        )

    def inc(self, amount: float = 1, exemplar: Mapping[str, str] | None = None) -> None:
        """Add ``amount``. Raises ValueError for a negative one; NaN and infinity are refused and counted.

        ``exemplar`` is accepted and not kept.
        """
        if 0 <= amount < _INFINITY:
            self._add(amount)
        elif amount < 0:
            raise ValueError(f"{self!r} can only be incremented by amounts that are not negative, got {amount!r}")
        else:
            self._check_labels()
            refuse(self._definition)

    def count_exceptions(
        self, exception: type[BaseException] | tuple[type[BaseException], ...] = Exception
    ) -> ExceptionCounter:
        """Counts exceptions that leave a ``with`` block or a decorated function."""
        self._check_labels()
        return ExceptionCounter(self, exception)

    def reset(self) -> NoReturn:
        """Not offered. Raises NotImplementedError."""
        self._not_offered("reset", "a counter only grows, so that rates over all workers are right")

    def _declare(self) -> None:
        super()._declare()
        if self._children is None and self._series is None:
            self._add(0.0)


class Gauge(_Number):
    """A number that goes up and down. NaN, infinity and negative numbers can be set.

    ``multiprocess_mode`` says how the values of several workers become one, in the words of
    prometheus_client: ``sum``, ``min``, ``max``, ``mostrecent`` (also over workers that have ended),
    their ``live…`` forms (only living workers), and ``all`` and ``liveall``: one series for each
    living worker with its ``pid``. The default is ``livesum``. All else is as for `Counter`.
    """

    __slots__ = ()

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Iterable[str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        *,
        multiprocess_mode: str = "livesum",
    ) -> None:
        merge = _merge(multiprocess_mode)
        self._define(
            define(
                Kind.GAUGE,
                name,
                documentation,
                labelnames,
                namespace=namespace,
                subsystem=subsystem,
                unit=unit,
                merge=merge,
            )
        )

    def inc(self, amount: float = 1) -> None:
        """Add ``amount``. NaN and infinity are refused and counted. Raises RuntimeError in mode ``mostrecent``."""
        self._change("inc", amount, 1)

    def dec(self, amount: float = 1) -> None:
        """Subtract ``amount``, as `inc` adds it."""
        self._change("dec", amount, -1)

    def set(self, value: float) -> None:
        """Set the worker's value."""
        series = self._series or self._find()
        try:
            number = float(value)
        except OverflowError:
            return refuse(self._definition)
        try:
            series.set(number)
        except Exception as error:
            report(repr(self), error)

    def set_to_current_time(self) -> None:
        """Set to the Unix time, in seconds."""
        self.set(time.time())

    def track_inprogress(self) -> InprogressTracker:
        """Is up by one for each ``with`` block, or call of a decorated function, that is running."""
        self._check_labels()
        return InprogressTracker(self)

    def time(self) -> MetricTimer:
        """Sets the gauge to the seconds that a ``with`` block, or a call of a decorated function, took."""
        return MetricTimer(self)

    def set_function(self, f: object) -> NoReturn:
        """Not offered. Raises NotImplementedError."""
        self._not_offered(
            "set_function",
            "one worker answers for all, and cannot call the functions of the others; call set() when the value changes",
        )

    def _change(self, method: str, amount: float, sign: int) -> None:
        if self._definition.merge in _MOSTRECENT:
            raise RuntimeError(f"{method}() cannot be used with multiprocess_mode={str(self._definition.merge)!r}")
        if -_INFINITY < amount < _INFINITY:
            self._add(sign * amount)
        else:
            self._check_labels()
            refuse(self._definition)

    def _record_duration(self, seconds: float) -> None:
        self.set(seconds)

    def _declare(self) -> None:
        super()._declare()
        # In the other modes a worker that never set the gauge would count as one that set it to 0.
        if self._children is None and self._series is None and self._definition.merge in _ADDED_UP:
            self._add(0.0)


_MOSTRECENT: Final = frozenset((Merge.MOSTRECENT, Merge.LIVEMOSTRECENT))
_ADDED_UP: Final = frozenset((Merge.SUM, Merge.LIVESUM))


def _merge(multiprocess_mode: str) -> Merge:
    try:
        return Merge(multiprocess_mode)
    except ValueError:
        raise ValueError(
            f"invalid multiprocess_mode {multiprocess_mode!r}: expected one of {', '.join(Merge)}"
        ) from None


class Histogram(Labelled[HistogramSeries]):
    """Counts observations, such as durations and sizes, by how large they are.

    ``buckets`` are upper bounds, ascending, as they are exposed; the last may be infinity, which is
    always there. `quantile` does not depend on them. Observations are not negative. All else is as for
    `Counter`.
    """

    __slots__ = ()

    DEFAULT_BUCKETS: ClassVar[tuple[float, ...]] = (*DURATION_BOUNDS, _INFINITY)

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Iterable[str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        *,
        buckets: Sequence[float | str] = DEFAULT_BUCKETS,
    ) -> None:
        bounds = _bounds(buckets)
        self._define(
            define(
                Kind.HISTOGRAM,
                name,
                documentation,
                labelnames,
                namespace=namespace,
                subsystem=subsystem,
                unit=unit,
                bounds=bounds,
            )
        )

    def _of_recorder(self) -> HistogramSeries:
        return find_histogram(self._definition, self._labels)

    def observe(self, amount: float, exemplar: Mapping[str, str] | None = None) -> None:
        """Count one observation. NaN, infinity and negative ones are refused and counted.

        ``exemplar`` is accepted and not kept.
        """
        series = self._series or self._find()
        if not 0 <= amount < _INFINITY:
            return refuse(self._definition)
        try:
            series.record(float(amount))
        except OverflowError:  # a whole number that no float can hold
            refuse(self._definition)
        except Exception as error:
            report(repr(self), error)

    def time(self) -> MetricTimer:
        """Observes the seconds that a ``with`` block, or a call of a decorated function, took."""
        return MetricTimer(self)

    def quantile(self, q: float) -> float:
        """The value at quantile ``q`` (0–1) of what all workers have observed since they began.

        At most 1 % off, relative, between 1 µs and 1 h for the unit ``seconds``, 1 and 2**40 for
        ``bytes``, 2**-30 and 2**40 for all else; beyond that it is the range's end. For one label set
        when called on a child, over all of them on the metric itself. NaN when nothing was observed.
        Takes milliseconds: not for an event loop's thread. Raises ValueError when ``q`` is outside 0–1.
        """
        from stethoscope.store.distribution import Distribution  # the reading side: not for those who only record

        cells: Tally[int] = Tally()
        for series in default_recorder().snapshot().family(self._definition).series:
            covered = self._children is not None or (series.labels == self._labels and not series.overflow)
            if covered and isinstance(series.value, Distribution):
                cells.update(series.value.cells)
        return Distribution(buckets_for(self._definition), cells, 0.0).quantile(q)

    def _record_duration(self, seconds: float) -> None:
        self.observe(seconds)


def _bounds(buckets: Sequence[float | str]) -> tuple[float, ...]:
    bounds = [float(bound) for bound in buckets]
    if bounds and bounds[-1] == _INFINITY:
        bounds.pop()
    # A comparison with NaN is false.
    if not (bounds and all(0 <= bound < _INFINITY for bound in bounds)):
        raise ValueError(f"buckets must have at least one upper bound, finite and not negative, got {buckets!r}")
    if any(one >= other for one, other in pairwise(bounds)):
        raise ValueError(f"buckets must be in ascending order, got {buckets!r}")
    return tuple(bounds)


class ExceptionCounter(Block):
    """See `Counter.count_exceptions`."""

    __slots__ = ("_counter", "_exception")

    def __init__(self, counter: Counter, exception: type[BaseException] | tuple[type[BaseException], ...]) -> None:
        self._counter = counter
        self._exception = exception

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, self._exception):
            self._counter.inc()


class InprogressTracker(Block):
    """See `Gauge.track_inprogress`."""

    __slots__ = ("_gauge",)

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge

    def __enter__(self) -> Self:
        self._gauge.inc()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gauge.dec()


class MetricTimer(Stopwatch):
    """See `Histogram.time` and `Gauge.time`. ``duration`` is that of the block that ended last, in seconds."""

    __slots__ = ("_metric", "duration")

    def __init__(self, metric: Gauge | Histogram) -> None:
        super().__init__()
        self._metric = metric
        self.duration: float | None = None

    def labels(self, *labelvalues: object, **labelkwargs: object) -> None:
        """Choose the label values inside of the block, when they are not known before."""
        self._metric = self._metric.labels(*labelvalues, **labelkwargs)

    def stopped(self, seconds: float, error: BaseException | None) -> None:
        self.duration = seconds
        self._metric._record_duration(seconds)
