"""Pauses that the garbage collector makes (Python library, ``gc.callbacks``)."""

from __future__ import annotations

import gc
from collections import deque
from time import perf_counter
from typing import Final

from stethoscope import names
from stethoscope.store.recorder import Recorder

_MOST: Final = 10_000
"""Runs that are kept between two samples; more are not counted."""


class Collector:
    """Times each run of the garbage collector.

    What is called back from the middle of any allocation, our own under a lock included, only appends
    to a list; `sample` records what is in it.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._began = 0.0
        self._runs: deque[tuple[int, float, int, int]] = deque(maxlen=_MOST)

    def start(self) -> None:
        """Any number of times."""
        if self._called not in gc.callbacks:
            gc.callbacks.append(self._called)

    def stop(self) -> None:
        if self._called in gc.callbacks:
            gc.callbacks.remove(self._called)

    def _called(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = perf_counter()
        elif self._began:
            self._runs.append(
                (info["generation"], perf_counter() - self._began, info["collected"], info["uncollectable"])
            )

    def sample(self) -> None:
        recorder = self._recorder
        while self._runs:
            generation, seconds, collected, uncollectable = self._runs.popleft()
            labels = (str(generation),)
            recorder.histogram(names.GC_PAUSE, labels).record(seconds)
            recorder.counter(names.GC_COLLECTIONS, labels).add(1.0)
            recorder.counter(names.GC_COLLECTED, labels).add(collected)
            recorder.counter(names.GC_UNCOLLECTABLE, labels).add(uncollectable)
