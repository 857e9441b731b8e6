"""Counters that others keep, such as the kernel's, followed in counters of ours."""

from __future__ import annotations

from stethoscope.names import Metric
from stethoscope.store.recorder import Recorder


class Growth:
    """Adds to a counter by how much a foreign one has grown since it was looked at before.

    ``from_zero`` says that all it shows at the first look is to be counted too, as is right for what began
    with this process. A foreign counter that has gone back has been reset.
    """

    def __init__(self, recorder: Recorder, *, from_zero: bool) -> None:
        self._recorder = recorder
        self._from_zero = from_zero
        self._seen: dict[tuple[str, tuple[str, ...]], float] = {}

    def follow(self, metric: Metric, labels: tuple[str, ...], reading: float) -> None:
        key = (metric.name, labels)
        before = self._seen.get(key, 0.0 if self._from_zero else reading)
        self._seen[key] = reading
        self._recorder.counter(metric, labels).add(reading - before if reading >= before else reading)

    def forget(self) -> None:
        """Others have counted meanwhile: the next look is a first one."""
        self._seen.clear()
