"""The thread in which an exporter sends: every so often, later when the receiver is in trouble, and once more at the end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Final

LONGEST_WAIT: Final = 300.0
"""Seconds between two tries however often it failed, unless the interval itself is longer."""


class Periodic:
    """Calls what it is started with, ``work``, every ``interval`` seconds in a daemon thread of its own, never twice at once, until it is closed.

    ``work`` returns how many seconds the next call must wait at least; 0.0 is no wish. It is called one
    last time when it is closed. ``prepare`` is called once before. Neither may raise. A forked child has no such thread, and
    its `close` does nothing. What it calls is known to the thread alone, so that an exporter and its service are not kept by
    their own methods once it has ended.
    """

    def __init__(self, name: str, interval: float) -> None:
        self._name = name
        self._interval = interval
        self._process = 0
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, work: Callable[[], float], prepare: Callable[[], None]) -> None:
        """Start the thread; to be called in each process. Raises RuntimeError if none can be started."""
        self._process = os.getpid()
        self._closing = threading.Event()
        arguments = (self._closing, work, prepare)
        self._thread = threading.Thread(target=self._run, args=arguments, name=self._name, daemon=True)
        self._thread.start()

    @property
    def inherited(self) -> bool:
        """Whether this process was forked from the one that has the thread."""
        return self._thread is not None and os.getpid() != self._process

    def close(self, seconds: float) -> bool:
        """Call ``work`` once more and end, within ``seconds``. Any number of times. Returns whether the thread has ended."""
        if self._thread is None or self.inherited:
            return True
        self._closing.set()
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def _run(self, closing: threading.Event, work: Callable[[], float], prepare: Callable[[], None]) -> None:
        due = time.monotonic() + self._interval
        prepare()
        while not closing.wait(max(0.0, due - time.monotonic())):
            wait = work()
            now = time.monotonic()
            # On the beat of the interval, so that points are evenly spaced; beats that were missed are left out.
            due = due + self._interval if due + self._interval > now else now + self._interval
            due = max(due, now + wait)
        work()


def backed_off(interval: float, failures: int) -> float:
    """Seconds to wait after so many failures in a row: twice as long each time, to five minutes or the interval."""
    return max(interval, min(LONGEST_WAIT, interval * 2.0 ** min(failures, 30))) if failures else 0.0
