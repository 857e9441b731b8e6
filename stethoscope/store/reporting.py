"""Logging from under a lock, without the app's log handlers running under it."""

from __future__ import annotations

import logging
from typing import Final

from stethoscope.store.lock import ReentrantLock

logger: Final = logging.getLogger("stethoscope")


class ReportingLock:
    """A re-entrant lock with a place for warnings that wait until nobody holds it here.

        with lock.held:
            lock.report("something is full")
        lock.tell()

    A handler may record a metric, or wait for a lock whose holder does: under our lock, the one would
    find us half-way through and the other would never end.

    ``held`` is entered and left apart from this: within an ``__enter__`` or ``__exit__`` that does more, a signal handler
    could raise, and the lock would never be free again.
    """

    def __init__(self) -> None:
        self.start_over()

    def start_over(self) -> None:
        """In a forked child, where nobody holds the lock and nothing was reported yet."""
        self.held = ReentrantLock()
        self._reports: list[tuple[str, tuple[object, ...]]] = []
        self._topics: set[str] = set()

    def report_once(self, topic: str, message: str, *arguments: object) -> None:
        """As `report`, the first time in this process that there is something to say on ``topic``."""
        if topic not in self._topics:
            self._topics.add(topic)
            self.report(message, *arguments)

    def report(self, message: str, *arguments: object) -> None:
        """Log a warning: at once, or at the next `tell` if this thread holds the lock."""
        self._reports.append((message, arguments))
        self.tell()

    def tell(self) -> None:
        """Log what was kept back, unless this thread still holds the lock. Raises what a log handler raises."""
        if self._reports and not self.held._is_owned():  # type: ignore[attr-defined]  # as threading.Condition asks
            reports, self._reports = self._reports, []
            for message, arguments in reports:
                logger.warning(message, *arguments)
