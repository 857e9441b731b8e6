"""Times blocks of code: any number at once with one object, each from its own start.

Where a block's start is kept: code that enters and leaves in one context (a thread, a task) finds it
through a context variable, so that concurrent blocks never swap their starts. Some code leaves in
another context than it entered in, such as a generator that a thread pool drives step by step. Then the
start that is taken is the latest one still open: with one object in use by several such blocks at once,
their number and the sum of their durations are right, and single durations may be swapped.
"""

from __future__ import annotations

from contextvars import ContextVar
from time import perf_counter
from types import TracebackType
from typing import Self

from stethoscope.instruments.block import Block

clock = perf_counter
"""Seconds, monotonic. Replaced by tests."""


class _Run:
    """One block that is being timed."""

    __slots__ = ("outer", "owner", "started")

    owner: Stopwatch | None
    """None once the block has ended."""
    outer: _Run | None
    """The block that was the innermost one when this began."""
    started: float


_running: ContextVar[_Run | None] = ContextVar("stethoscope_stopwatch", default=None)


class Stopwatch(Block):
    """Tells `stopped` of each block: its seconds, and what it raised."""

    __slots__ = ("_runs",)

    def __init__(self) -> None:
        self._runs: dict[_Run, None] = {}

    def stopped(self, seconds: float, error: BaseException | None) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        run = _Run()
        run.owner = self
        run.outer = _open(_running.get())
        self._runs[run] = None
        _running.set(run)
        run.started = clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        now = clock()
        run = self._mine()
        if run is not None:
            run.owner = None
            self.stopped(max(now - run.started, 0.0), error)

    def _mine(self) -> _Run | None:
        """The block that ends, taken out of those that run. None when none was entered."""
        run = _running.get()
        while run is not None and run.owner is not self:
            run = run.outer
        if run is not None and self._runs.pop(run, run) is None:
            return run
        try:
            return self._runs.popitem()[0]
        except KeyError:
            return None


def _open(run: _Run | None) -> _Run | None:
    """The innermost block that has not ended. Those that have stay in the context variable until another begins."""
    while run is not None and run.owner is None:
        run = run.outer
    return run
