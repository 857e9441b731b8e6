"""Counters that others keep, such as the kernel's, followed in counters of ours."""

from __future__ import annotations

from typing import Final

from stethoscope.names import Metric
from stethoscope.store.recorder import Recorder

_RESET: Final = 0.5
"""A reading below this share of the one before is what was counted since a reset."""


class Growth:
    """Adds to a counter by how much a foreign one has grown since it was looked at before.

    ``from_zero`` says that all it shows at the first look is to be counted too, as is right for what began
    with this process. A foreign counter that has gone back far has been reset. One that has gone back a little counts as
    standing still until it is where it was: the kernel's time of waiting for disks does so (proc(5), "/proc/stat").
    """

    def __init__(self, recorder: Recorder, *, from_zero: bool) -> None:
        self._recorder = recorder
        self._from_zero = from_zero
        self._seen: dict[tuple[str, tuple[str, ...]], float] = {}

    def follow(self, metric: Metric, labels: tuple[str, ...], reading: float) -> None:
        key = (metric.name, labels)
        before = self._seen.get(key, 0.0 if self._from_zero else reading)
        if reading < before * _RESET:
            before = 0.0
        self._seen[key] = max(before, reading)
        self._recorder.counter(metric, labels).add(max(0.0, reading - before))

    def forget(self) -> None:
        """Others have counted meanwhile: the next look is a first one."""
        self._seen.clear()
