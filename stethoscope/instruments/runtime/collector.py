"""Pauses that the garbage collector makes (Python library, ``gc.callbacks``)."""

from __future__ import annotations

import gc
from contextlib import suppress
from time import perf_counter
from typing import Any, Final
from weakref import finalize

from stethoscope import hot, names
from stethoscope.store.recorder import Recorder

_MOST: Final = 10_000
"""Runs that are kept between two samples; more are not counted."""

Run = tuple[int, float, int, int]
"""Generation, seconds, and how many objects were collected, and could not be."""


class RunsPlainly:
    """What is called back from the middle of any allocation, our own under a lock included: only appends to a list.

    CPython runs the handlers of signals when a function in Python begins, this one too, and what they raise here is printed and
    lost, because nothing leaves a callback of the collector. Compiled (``_hot_runtime.c``) it is no such place.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._began = 0.0
        self._runs: list[Run] = []

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = perf_counter()
        elif self._began and len(self._runs) < self._most:
            self._runs.append(
                (info["generation"], perf_counter() - self._began, info["collected"], info["uncollectable"])
            )

    def take(self) -> list[Run]:
        """Those since the last time."""
        taken, self._runs = self._runs, []
        return taken


_compiled: Any = hot.extension("_hot_runtime")
Runs: type[RunsPlainly] = RunsPlainly if _compiled is None else _compiled.Runs


class Collector:
    """Times each run of the garbage collector; `sample` records what there was since the last one."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._runs = Runs(_MOST)
        finalize(self, _forget, self._runs).atexit = False

    def start(self) -> None:
        """Any number of times."""
        if self._runs not in gc.callbacks:
            gc.callbacks.append(self._runs)

    def stop(self) -> None:
        _forget(self._runs)

    def sample(self) -> None:
        recorder = self._recorder
        for generation, seconds, collected, uncollectable in self._runs.take():
            labels = (str(generation),)
            recorder.histogram(names.GC_PAUSE, labels).record(seconds)
            recorder.counter(names.GC_COLLECTIONS, labels).add(1.0)
            recorder.counter(names.GC_COLLECTED, labels).add(collected)
            recorder.counter(names.GC_UNCOLLECTABLE, labels).add(uncollectable)


def _forget(runs: RunsPlainly) -> None:
    with suppress(ValueError):
        gc.callbacks.remove(runs)
