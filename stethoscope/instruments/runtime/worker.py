"""What is measured of the Python of one process that serves, from the first request on each of its event loops."""

from __future__ import annotations

import os
from asyncio import _get_running_loop as _running_loop
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final
from weakref import ref

from stethoscope import hot, names
from stethoscope.current import Current
from stethoscope.instruments.runtime.blocked import BlockedLines
from stethoscope.instruments.runtime.collector import Collector
from stethoscope.instruments.runtime.loops import PERIOD, QUIET, AsyncioWatch, Told, Watch, current_loop, watch_current
from stethoscope.instruments.runtime.stall_notes import StallNotes
from stethoscope.instruments.runtime.stalls import Stall, Watchdog
from stethoscope.instruments.runtime.threads import Executor, Limiter, anyio_limiter, default_executor, limiter_state
from stethoscope.settings import resource_attribute
from stethoscope.store.recorder import Recorder
from stethoscope.thresholds import DEFAULTS, Threshold

_TOLD_EVERY: Final = 0.01
"""Seconds in which the watchdog is told of one request at most."""
_MOST_LATE: Final = 300
"""Timers that one that is late stands for, at most: a minute of them."""


def _no_loop() -> None:
    return None


@hot.quicken
class Worker(Told, hot.Worker):
    """Watches event loops, garbage collector and threads of this process, for one service.

    `arrived` is called on a loop, `sample` by another thread, now and then.
    """

    _loop: Callable[[], object | None]
    """What was running when a request arrived the last time, and how it is watched."""
    _watch: Watch | None

    def __init__(self, recorder: Recorder, lag: Threshold = DEFAULTS.event_loop_lag_p99) -> None:
        self._recorder = recorder
        self._lag = lag
        self._collector = Collector(recorder)
        self._stalls = StallNotes(recorder)
        self._watchdog = Watchdog(self)
        self._start_over()

    def _start_over(self) -> None:
        """The state of a process that has served nothing yet."""
        self._process = 0
        self._loop = _no_loop
        self._watch = None
        self._blocked = BlockedLines(self._recorder, self._lag)
        self._watchdog.start_over()

    @property
    def serves(self) -> bool:
        """Whether this process has been asked anything, and not only the one that it was forked from."""
        return self._process == os.getpid()

    @property
    def is_guarded(self) -> bool:
        """Whether there is a thread that looks after event loops."""
        return self._watchdog.is_there

    def arrived(self, request: Current) -> None:
        """A request has arrived on the running loop, in the task that runs. ``_hot.c`` has the plain case once more."""
        loop = _running_loop()
        if loop is None or loop is not self._loop():
            self._turn_to(current_loop())
        watch = self._watch
        if watch is not None:
            watch.busy = watch.asked = True
            if request.started - watch.told > _TOLD_EVERY:
                watch.told = request.started
                self._watchdog.goes_on()
            if watch.period > QUIET:
                watch.hurry()

    def _turn_to(self, loop: object | None) -> None:
        if loop is not None and loop is self._loop():
            return
        if not self.serves:
            self._start_over()
            self._process = os.getpid()
            self._collector.start()
            self._recorder.counter(names.WORKER_STARTS).add(1.0)
            if version := resource_attribute("service.version"):
                self._recorder.gauge(names.SERVICE_INFO, (version,)).set(1.0)
        self._watch = self._watch_of(loop)
        self._loop = _no_loop if loop is None else ref(loop)

    def _watch_of(self, loop: object | None) -> Watch | None:
        known = next((watch for watch in self._watchdog.watches if loop is not None and watch.loop() is loop), None)
        if known is not None:
            return known
        watch = watch_current(self)
        if watch is not None:
            watch.limiter = anyio_limiter(watch.kind, self._waited)
            self._watchdog.guard(watch)
        return watch

    # Told on the loop

    def late(self, watch: Watch, seconds: float) -> None:
        series = self._recorder.histogram(names.LOOP_LAG, (watch.kind,))
        series.record(seconds)
        # Had the timer been there on time, again and again, it would have been late as often.
        for missed in range(1, min(int(seconds / PERIOD), _MOST_LATE)):
            series.record(seconds - missed * PERIOD)
        if watch.limiter is None:
            watch.limiter = anyio_limiter(watch.kind, self._waited)
        if watch.limiter is not None:
            watch.limited = limiter_state(watch.limiter)

    def is_serving(self) -> bool:
        return self._recorder.here(names.ACTIVE_REQUESTS) > 0

    def stalled(self, stall: Stall) -> None:
        self._stalls.add(stall)
        self._blocked.add(stall)

    def failed(self, error: Exception) -> None:
        self._recorder.failed("event loop", error)

    def _waited(self, seconds: float) -> None:
        with suppress(Exception):
            self._recorder.histogram(names.ANYIO_WAIT).record(seconds)

    # Sampled

    def sample(self) -> None:
        """Tasks, threads and garbage collection since the sample before. Nothing of a process that does not serve."""
        if not self.serves:
            return
        self._collector.sample()
        watches = self._watchdog.watches
        gauge = self._recorder.gauge
        gauge(names.LOOP_TASKS).set(sum(watch.tasks for watch in watches))
        limiters = [watch.limited for watch in watches if watch.limited is not None]
        if limiters:
            self._set_limiters(limiters)
        executors = list(self._executors(watches))
        if executors:
            self._set_executors(executors)

    def _executors(self, watches: list[Watch]) -> Iterator[Executor]:
        for watch in watches:
            if isinstance(watch, AsyncioWatch) and (executor := default_executor(watch.loop())) is not None:
                yield executor

    def _set_limiters(self, limiters: list[Limiter]) -> None:
        gauge = self._recorder.gauge
        gauge(names.ANYIO_LIMIT).set(sum(one.limit for one in limiters))
        gauge(names.ANYIO_BORROWED).set(sum(one.borrowed for one in limiters))
        gauge(names.ANYIO_WAITING).set(sum(one.waiting for one in limiters))

    def _set_executors(self, executors: list[Executor]) -> None:
        gauge = self._recorder.gauge
        gauge(names.EXECUTOR_LIMIT).set(sum(one.limit for one in executors))
        gauge(names.EXECUTOR_THREADS).set(sum(one.threads for one in executors))
        gauge(names.EXECUTOR_QUEUED).set(sum(one.queued for one in executors))


hot.run_on(_running_loop)
