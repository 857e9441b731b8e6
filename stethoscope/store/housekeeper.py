"""The one thread that a recording process has, and the chores that it does."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from weakref import ref

if TYPE_CHECKING:
    from stethoscope.store.recorder import Recorder

STEP: Final = 15.0
"""Seconds between two rounds of the store's own housekeeping."""


NEVER_AGAIN: Final = math.inf
"""The ``seconds`` of a chore that is done once, at once."""


class Chore:
    """Something to do every ``seconds``, for the first time after that many."""

    __slots__ = ("due", "seconds", "task", "where")

    def __init__(self, seconds: float, where: str, task: Callable[[], None]) -> None:
        self.seconds = seconds
        self.where = where
        self.task = task
        self.begin()

    def begin(self) -> None:
        """Start counting, in a process that begins to record."""
        self.due = time.monotonic() + (0.0 if self.seconds == NEVER_AGAIN else self.seconds)


class Housekeeper(threading.Thread):
    """Does a recorder's chores, one after the other. A failure is counted, and the chore comes again.

    Ends with its recorder, and in a forked child.
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(name="stethoscope", daemon=True)
        self.news = news = threading.Event()
        """Set to have the chores looked at again."""
        self._recorder = ref(recorder, lambda _: news.set())
        self._process = os.getpid()
        self._began = time.monotonic()
        self._own = Chore(STEP, "housekeeping", self._keep_house)
        for chore in recorder.chores:
            chore.begin()

    def run(self) -> None:
        wait = 0.0
        while True:
            self.news.wait(wait)
            self.news.clear()
            recorder = self._recorder()
            if recorder is None or os.getpid() != self._process:
                return
            wait = self._do(recorder)
            del recorder

    def _do(self, recorder: Recorder) -> float:
        """Do what is due. Returns for how long there is nothing to do."""
        chores = [self._own, *recorder.chores]
        for chore in chores:
            if time.monotonic() >= chore.due:
                try:
                    chore.task()
                except Exception as error:
                    recorder.failed(chore.where, error)
                chore.due = self._next(chore.seconds)
        return max(min(chore.due for chore in chores) - time.monotonic(), 0.0)

    def _next(self, seconds: float) -> float:
        """When to do again a chore that was just done: together with others, because waking up is most of what many of them cost."""
        now = time.monotonic()
        if seconds == NEVER_AGAIN:
            return NEVER_AGAIN
        due = self._began + math.ceil((now - self._began) / seconds) * seconds
        return due if due - now > seconds / 2 else due + seconds

    def _keep_house(self) -> None:
        if recorder := self._recorder():
            recorder.keep_house()
