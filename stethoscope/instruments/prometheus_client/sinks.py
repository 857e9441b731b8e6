"""Where one value of prometheus_client goes in a recorder: which metric it is, and what is recorded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from stethoscope import names
from stethoscope.instruments.definitions import (
    LABEL_NAME,
    METRIC_NAME,
    MOST_CHARACTERS,
    label_value,
    taken_by_another,
)
from stethoscope.names import PER_WORKER, Kind, Merge, Metric
from stethoscope.store.recorder import Recorder

_KINDS: Final = {
    "counter": Kind.COUNTER,
    "gauge": Kind.GAUGE,
    "histogram": Kind.HISTOGRAM,
    # The store has no kind for sum and count alone. A histogram without bounds is both, and more.
    "summary": Kind.HISTOGRAM,
}
_OURS: Final = frozenset(metric.name for metric in names.METRICS)


class Value(Protocol):
    def get(self) -> float: ...


class Child(Protocol):
    """A metric of prometheus_client with its label values set, or one without labels.

    Counters and gauges have ``_value``; histograms ``_sum`` and ``_buckets``, not cumulative, one for
    each of ``_upper_bounds``; summaries ``_sum`` and ``_count``. A parent has its children in
    ``_metrics`` by label values.
    """

    _type: str
    _name: str
    _documentation: str
    _unit: str
    _labelnames: Sequence[str]
    _labelvalues: Sequence[str]
    _metrics: dict[tuple[str, ...], Child]
    _multiprocess_mode: str
    _upper_bounds: Sequence[float]
    _value: Value
    _count: Value
    _sum: Value
    _buckets: Sequence[Value]


class Refused(Exception):
    """This metric cannot be shared; the text says why."""


def metric_of(child: Child) -> Metric:
    """What it is to a recorder, which may have no place for it."""
    return Metric(
        name=child._name,
        kind=_KINDS[child._type],
        help=child._documentation,
        labels=tuple(child._labelnames),
        unit=child._unit,
        bounds=tuple(child._upper_bounds[:-1]) if child._type == "histogram" else (),
        merge=Merge(child._multiprocess_mode) if child._type == "gauge" else Merge.LIVESUM,
    )


def _unfit(metric: Metric) -> str:
    if metric.name in _OURS:
        return "Stethoscope has a metric of this name"
    if taken := taken_by_another(metric):
        return f"the name {taken} is taken already"
    if not (METRIC_NAME.fullmatch(metric.name) and all(map(LABEL_NAME.fullmatch, metric.labels))):
        return "its name or a label's name is not of the form that every Prometheus reads"
    if metric.bounds and metric.bounds[0] < 0:
        return "its buckets are for negative observations"
    if "pid" in metric.labels and metric.merge in PER_WORKER:
        return "its label 'pid' is what the series of its workers would be told apart by"
    return ""


class Sink(Protocol):
    """Takes what is done to one value. ``carry`` takes what was done to it before: ``number`` is its result, ``within`` says that
    it is called in the midst of the next observation.

    Several may be made for one value, by threads at the same time. Only one of them is used, from ``begin`` on.
    """

    def begin(self) -> None: ...

    def inc(self, amount: float) -> None: ...

    def set(self, value: float, before: float) -> None: ...

    def carry(self, child: Child, number: float, within: bool) -> None: ...

    def declare(self) -> None:
        """Make the series exist although nothing was recorded, if that changes no merged number."""


def sink_for(recorder: Recorder, child: Child) -> Sink:
    """Raises Refused when the store has no place for such a metric, and when the recorder has another one of this name."""
    metric = metric_of(child)
    if reason := _unfit(metric):
        raise Refused(reason)
    try:
        return _SINKS[child._type](recorder, metric, tuple(map(label_value, child._labelvalues)))
    except (ValueError, AssertionError) as error:
        raise Refused(str(error) or "stethoscope has another metric of this name") from error


class _CounterSink:
    def __init__(self, recorder: Recorder, metric: Metric, labels: tuple[str, ...]) -> None:
        self._recorder, self._metric = recorder, metric
        self._series = recorder.counter(metric, labels)

    def begin(self) -> None:
        pass

    def inc(self, amount: float) -> None:
        if 0 <= amount < math.inf:
            self._series.add(amount)
        else:
            self._recorder.refuse(self._metric)

    def set(self, value: float, before: float) -> None:
        # Code that mirrors a counter kept elsewhere sets it; a reset is no reason to go back.
        if value > before:
            self.inc(value - before)

    def carry(self, child: Child, number: float, within: bool) -> None:
        self.set(number, 0.0)

    def declare(self) -> None:
        self._series.add(0.0)


class _GaugeSink:
    # With the other modes a worker that never set the gauge would count as one that set it to 0.
    _NEUTRAL: Final = PER_WORKER | {Merge.SUM, Merge.LIVESUM}

    def __init__(self, recorder: Recorder, metric: Metric, labels: tuple[str, ...]) -> None:
        self._recorder, self._metric = recorder, metric
        self._series = recorder.gauge(metric, labels)
        # There already when the label values were removed and come again, which starts at zero. What is in an
        # overflow series is others', and so may be what is in that of labels that were cut.
        alone = recorder.has(metric, labels) and all(len(label) < MOST_CHARACTERS for label in labels)
        self._before = self._series.get() if alone else 0.0

    def begin(self) -> None:
        # A time of setting, which some modes go by, is no matter of `add`.
        if not math.isfinite(self._before):
            self._series.set(0.0)
        elif self._before:
            self._series.add(-self._before)

    def inc(self, amount: float) -> None:
        if math.isfinite(amount):
            self._series.add(amount)
        else:
            self._recorder.refuse(self._metric)

    def set(self, value: float, before: float) -> None:
        self._series.set(value)

    def carry(self, child: Child, number: float, within: bool) -> None:
        if number and math.isfinite(number) and self._metric.merge in self._NEUTRAL:
            self._series.add(number)  # in an overflow series, to what others have there
        elif number:
            self._series.set(number)

    def declare(self) -> None:
        if self._metric.merge in self._NEUTRAL:
            self._series.add(0.0)


class _ObservationSink:
    """For the ``_sum`` of a histogram or summary, to which each observation is added."""

    def __init__(self, recorder: Recorder, metric: Metric, labels: tuple[str, ...]) -> None:
        self._recorder, self._metric = recorder, metric
        self._series = recorder.histogram(metric, labels)

    def begin(self) -> None:
        pass

    def inc(self, amount: float) -> None:
        if 0 <= amount < math.inf:
            self._series.record(amount)
        else:
            self._recorder.refuse(self._metric)

    def set(self, value: float, before: float) -> None:
        pass

    def carry(self, child: Child, number: float, within: bool) -> None:
        for value in _replayed(child, number, within):
            self.inc(value)

    def declare(self) -> None:
        pass


_SINKS: Final[dict[str, type[_CounterSink | _GaugeSink | _ObservationSink]]] = {
    "counter": _CounterSink,
    "gauge": _GaugeSink,
    "histogram": _ObservationSink,
    "summary": _ObservationSink,
}


def _replayed(child: Child, total: float, within: bool) -> Iterator[float]:
    """Observations that give the same counts, and a sum as near as the buckets allow.

    A bucket's observations are put at the same share of its width in all buckets, the share that
    gives the sum; those above the last bound at that bound or, all together, where the sum says.
    """
    if child._type == "summary":
        count = int(child._count.get()) - within  # an observation begins with its count, and ends with a histogram's
        yield from [total / count] * count if count else []
        return
    counts = [int(value.get()) for value in child._buckets]
    uppers = [*child._upper_bounds[:-1], child._upper_bounds[-2]]
    lowers = [0.0, *child._upper_bounds[:-1]]
    least = sum(count * lower for count, lower in zip(counts, lowers, strict=True))
    width = sum(count * (upper - lower) for count, lower, upper in zip(counts, lowers, uppers, strict=True))
    excess = total - least
    share = min(max(excess / width, 0.0), 1.0) if width else 0.0
    beyond = max(excess - share * width, 0.0) / counts[-1] if counts[-1] else 0.0
    for number, (count, lower, upper) in enumerate(zip(counts, lowers, uppers, strict=True)):
        last = number == len(counts) - 1
        value = lower + beyond if last else min(lower + share * (upper - lower), upper)
        # A lower bound belongs to the bucket below.
        yield from [value if value > lower or not number else math.nextafter(lower, math.inf)] * count
