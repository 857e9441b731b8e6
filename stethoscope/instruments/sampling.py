"""Samples that are taken again and again, at a price that is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

SHARE: Final = 0.0001
"""What one kind of sample may take of a core at most. One that takes more is taken less often."""


class Sample:
    """Something to look at every ``seconds``. What ``take`` raises is given to ``failed``.

    Its price is the lower of what the last two took: the first one imports and opens what the others find there.
    """

    def __init__(self, seconds: float, take: Callable[[], None]) -> None:
        self.seconds = seconds
        self.due = 0.0
        self._take = take
        self._took = 0.0

    def take(self, now: float, failed: Callable[[Exception], None]) -> None:
        begin = time.thread_time()
        try:
            self._take()
        except Exception as error:
            failed(error)
        before, self._took = self._took, time.thread_time() - begin
        self.due = now + max(self.seconds, min(before, self._took) / SHARE)


class Sampler:
    """Takes those samples of a worker that are due, when it is called."""

    def __init__(self, samples: Iterable[Sample], failed: Callable[[Exception], None]) -> None:
        self._samples = list(samples)
        self._failed = failed

    def __call__(self) -> None:
        now = time.monotonic()
        for sample in self._samples:
            if now >= sample.due:
                sample.take(now, self._failed)
