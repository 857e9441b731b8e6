"""Logging from under a lock, without the app's log handlers running under it."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Final

logger: Final = logging.getLogger("stethoscope")


class ReportingLock:
    """A re-entrant lock that keeps warnings back until its holder lets go.

    A handler may record a metric, or wait for a lock whose holder does: under our lock, the one would
    find us half-way through and the other would never end.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._reports: list[tuple[str, tuple[object, ...]]] = []

    def __enter__(self) -> None:
        self._lock.acquire()
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        reports: list[tuple[str, tuple[object, ...]]] = []
        if self._depth == 0:
            reports, self._reports = self._reports, reports
        self._lock.release()
        for message, arguments in reports:
            logger.warning(message, *arguments)

    def report(self, message: str, *arguments: object) -> None:
        """Log a warning: at once, or when the lock is free."""
        with self:
            self._reports.append((message, arguments))
