"""A clock that rings in one thread, and that others set."""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from time import perf_counter
from typing import Any

from stethoscope import hot


class PlainAlarm:
    """To be set in any thread, also while another waits; that one then wakes when it would have, and waits on.

    Compiled, on Linux (``_hot_runtime.c``), it sleeps through: to be woken is what costs most.
    ``since`` is when it was set, ``due`` when it rings, on the clock of ``perf_counter``.
    """

    def __init__(self) -> None:
        self.since = self.due = perf_counter()
        self._bell = Lock()
        """Held; released by who sets it to ring earlier."""
        self._bell.acquire()
        self._sleeps_until = 0.0

    def set(self, seconds: float) -> None:
        """Have it ring so many seconds from now, and not when it would have."""
        self.since = perf_counter()
        self.due = self.since + seconds
        if self.due < self._sleeps_until:
            with suppress(RuntimeError):  # by another thread, this very moment
                self._bell.release()

    def wait(self) -> None:
        """Sleep until it rings. For one thread at a time."""
        while (left := self.due - perf_counter()) > 0:
            self._sleeps_until = self.due
            self._bell.acquire(timeout=left)
        self._sleeps_until = 0.0


_compiled: Any = getattr(hot.extension("_hot_runtime"), "Alarm", None)


def make_alarm() -> PlainAlarm:
    """The compiled one, if there is any and a descriptor for it."""
    with suppress(OSError):
        if _compiled is not None:
            alarm: PlainAlarm = _compiled()
            return alarm
    return PlainAlarm()
