"""The class of values that prometheus_client's metrics keep their numbers in, exchanged for ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final, NamedTuple, cast
from weakref import WeakKeyDictionary, ref

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Summary
from prometheus_client import values as library

from stethoscope import forked
from stethoscope.instruments.prometheus_client.sinks import Child, Refused, Sink, metric_of, sink_for
from stethoscope.store.recorder import Recorder

SHARED_KINDS: Final = (Counter, Gauge, Histogram, Summary)
# The attribute of a metric that holds the value which says all that happens to it.
_SPEAKING: Final = {"counter": "_value", "gauge": "_value", "histogram": "_sum", "summary": "_sum"}
_SPEAKING_SUFFIXES: Final = {"counter": "_total", "gauge": "", "histogram": "_sum", "summary": "_sum"}

_recorders: tuple[ref[Recorder], ...] = ()
"""Not to be kept by metrics, which live as long as the process: apps come and go, in tests say."""
_adopting: Final = threading.Lock()
refused: Final[set[str]] = set()
"""Names of metrics that stay this worker's own."""


class _Connection(NamedTuple):
    """Where a value goes in one recorder, which keeps the sink."""

    recorder: ref[Recorder]
    sink: ref[Sink]

    def failed(self, error: Exception) -> None:
        if recorder := self.recorder():
            recorder.failed("prometheus_client", error)


class SharedValue(library.MutexValue):
    """A value of a metric that keeps its number, as always, and passes on what happens to it.

    `get` goes on answering with this process's own number, for code that reads its own metrics.
    Objects of prometheus_client's class become objects of this one in place, so that nothing counted
    meanwhile is lost: hence defaults on the class, and no attributes of the base class but its own
    ``_lock`` and ``_value``.
    """

    _address: tuple[str, tuple[str, ...]] | None = None
    _known: tuple[ref[Recorder], ...] = ()
    _connections: tuple[_Connection, ...] = ()
    _forks = 0
    """After how many forks it was made: what was inherited is the parent's. One that has become ours may always be."""

    def __init__(
        self,
        typ: str,
        metric_name: str,
        name: str,
        labelnames: tuple[str, ...],
        labelvalues: tuple[str, ...],
        help_text: str,
        **options: object,
    ) -> None:
        super().__init__(typ, metric_name, name, labelnames, labelvalues, help_text, **options)  # type: ignore[no-untyped-call]
        if name == metric_name + _SPEAKING_SUFFIXES.get(typ, " "):
            self._address = (metric_name, tuple(labelvalues))
        self._forks = forked.times()

    # No lock is held while a recorder is called: it may log, and a handler may count what is logged.

    def inc(self, amount: float) -> None:
        if self._known is not _recorders:
            self._connect(within=True)
        with self._lock:
            self._value += amount
            connections = self._connections
        for connection in connections:
            try:
                if sink := connection.sink():
                    sink.inc(amount)
            except Exception as error:
                connection.failed(error)

    def set(self, value: float, timestamp: float | None = None) -> None:
        if self._known is not _recorders:
            self._connect(within=True)
        with self._lock:
            before, self._value = self._value, value
            connections = self._connections
        for connection in connections:
            try:
                if sink := connection.sink():
                    sink.set(value, before)
            except Exception as error:
                connection.failed(error)

    def share(self, address: tuple[str, tuple[str, ...]]) -> None:
        """Become known to all recorders now, with what was counted before."""
        self._address = address
        if self._known is not _recorders or not self._connections:
            self._connect(within=False)

    def _connect(self, within: bool) -> None:
        """Find the recorders' series, and give them what was counted before: once each, in whatever thread.

        ``within`` says that it is done in the midst of the next observation. What is not registered may be so later, and is
        looked for again each time.
        """
        recorders = _recorders
        if self._address is None:
            self._known = recorders
            return
        child = _registered(self._address)
        if child is None:
            return
        if getattr(child, _SPEAKING[child._type], None) is not self:
            self._known = recorders
            return
        connected = self._connected()
        living = [recorder for one in recorders if (recorder := one()) and recorder not in connected]
        found = [(recorder, sink) for recorder in living if (sink := _sink(recorder, child))]
        with self._lock:
            by_now = self._connected()
            added = [(recorder, sink) for recorder, sink in found if recorder not in by_now]
            for recorder, sink in added:
                _sinks_of(recorder)[self] = sink
            still = [one for one in self._connections if one.recorder() is not None]
            self._connections = (*still, *(_Connection(ref(recorder), ref(sink)) for recorder, sink in added))
            self._known = recorders
            number = self._value
        for recorder, sink in added:
            try:
                sink.begin()
                if self._forks == forked.times():
                    sink.carry(child, number, within)
            except Exception as error:
                recorder.failed("prometheus_client", error)

    def _connected(self) -> list[Recorder]:
        return [recorder for one in self._connections if (recorder := one.recorder())]

    def declare(self) -> None:
        """Make the series exist although nothing happened to it yet."""
        for connection in self._connections:
            if sink := connection.sink():
                sink.declare()


def _sinks_of(recorder: Recorder) -> WeakKeyDictionary[SharedValue, Sink]:
    return recorder.companion(SharedValue, WeakKeyDictionary)


def _registered(address: tuple[str, tuple[str, ...]]) -> Child | None:
    name, labels = address
    collector = REGISTRY._names_to_collectors.get(name)
    # Most often there is none: who counts what is not registered asks each time, and classes that are abstract are slow to ask.
    if collector is None or not isinstance(collector, SHARED_KINDS):
        return None
    metric = cast(Child, collector)
    return metric._metrics.get(labels) if metric._labelnames else metric


def _sink(recorder: Recorder, child: Child) -> Sink | None:
    try:
        return sink_for(recorder, child)
    except Refused as refusal:
        refused.add(child._name)
        recorder.warn_once(
            f"prometheus_client {child._name}",
            "the prometheus_client metric %s is each worker's own, and left out of scrapes while there are several: %s",
            child._name,
            refusal,
        )
    except Exception as error:
        recorder.failed("prometheus_client", error)
    return None


def adopt(recorder: Recorder) -> None:
    """See `stethoscope.instruments.prometheus_client.adopt`."""
    global _recorders
    if multiprocess() or not _installed(recorder):
        return
    with _adopting:
        living = [one for one in _recorders if one() is not None]
        if any(one() is recorder for one in living):
            return
        _recorders = (*living, ref(recorder))
    for address, child in _registered_children():
        value = getattr(child, _SPEAKING[child._type])
        if type(value) is library.MutexValue:
            value.__class__ = SharedValue
        if isinstance(value, SharedValue):
            value.share(address)
        else:
            refused.add(child._name)


def declare_all() -> None:
    """Connect what nothing happened to since it was registered, so that it is seen as zero."""
    for address, child in _registered_children():
        value = getattr(child, _SPEAKING[child._type])
        if isinstance(value, SharedValue) and child._name not in refused and not computed(child):
            value.share(address)
            value.declare()


def multiprocess() -> bool:
    """Whether prometheus_client's own multi-process mode is on (``PROMETHEUS_MULTIPROC_DIR``)."""
    return bool(getattr(library.ValueClass, "_multiprocess", False))


def in_place() -> bool:
    """Whether metrics are made with our class of values."""
    return library.ValueClass is SharedValue


def computed(child: object) -> bool:
    """Whether it is a gauge whose value is a function's (`Gauge.set_function`)."""
    return "_child_samples" in vars(child)


def children_of(metric: Child) -> list[tuple[tuple[str, ...], Child]]:
    return list(metric._metrics.items()) if metric._labelnames else [((), metric)]


def _registered_children() -> Iterator[tuple[tuple[str, tuple[str, ...]], Child]]:
    for collector in list(REGISTRY._collector_to_names):
        if isinstance(collector, SHARED_KINDS):
            for labels, child in children_of(cast(Child, collector)):
                yield (child._name, labels), child


def _installed(recorder: Recorder) -> bool:
    if in_place():
        return True
    original = library.ValueClass
    library.ValueClass = SharedValue
    try:
        _try_out()
    except Exception as error:
        library.ValueClass = original
        recorder.warn_once(
            "prometheus_client",
            "this version of prometheus_client keeps its numbers in a way that is not known here (%r): "
            "its counters, gauges, histograms and summaries are left out of scrapes while there are several workers",
            error,
        )
        return False
    return True


def _try_out() -> None:
    """Raises when anything that this module relies upon is not so."""
    counter = Counter("probe", "", ["label"], registry=None)
    counter.labels("a").inc(2)
    gauge = Gauge("probe", "", registry=None, multiprocess_mode="max")
    gauge.set(2)
    histogram = Histogram("probe", "", registry=None, buckets=(1, 3))
    histogram.observe(2)
    summary = Summary("probe", "", registry=None)
    summary.observe(2)
    for child in (cast(Child, counter)._metrics[("a",)], gauge, histogram, summary):
        _check(cast(Child, child))
    bounds, buckets = list(histogram._upper_bounds), [bucket.get() for bucket in cast(Child, histogram)._buckets]
    _expect(bounds == [1.0, 3.0, float("inf")] and buckets == [0, 1, 0], "buckets")
    _expect(cast(Child, summary)._count.get() == 1, "count")
    _expect(gauge._multiprocess_mode == "max", "mode")
    _expect(isinstance(REGISTRY._names_to_collectors, dict), "names")
    _expect(isinstance(REGISTRY._collector_to_names, dict), "collectors")


def _check(child: Child) -> None:
    value = getattr(child, _SPEAKING[child._type])
    _expect(type(value) is SharedValue and value._value == 2, child._type)
    _expect(value._address == ("probe", tuple(child._labelvalues)), "address")
    # Only attributes that `metric_of` reads: it raises when one is not there.
    metric_of(child)


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise LookupError(what)
