"""Which requests are kept: of each route the slowest, the failed, and now and then any.

A kept request has a *slot*, and who comes into a slot later takes its place. So there is an upper limit, however
many requests there are and however badly they do:

    slow 0–4           the five slowest of the last 15 minutes
    failed ERROR 0–2   the last three of each of the first eight kinds of error, five in a second at most
    sample 0–1         the last two of a sample: one request in ten seconds
"""

from __future__ import annotations

from typing import Final

from stethoscope.middleware.observer import Bar

SLOWEST: Final = 5
FAILED: Final = 3
SAMPLED: Final = 2
MOST_ERRORS: Final = 8
FORGET_AFTER: Final = 900.0
SAMPLE_EVERY: Final = 10.0
FAILED_EVERY: Final = 0.2


class Choice(Bar):
    """Of one route, in one worker. Times are seconds of any clock that does not go back.

    What is not above it as a `Bar` is not kept: that can be seen without asking.
    """

    __slots__ = ("_failed", "_failed_next", "_sampled", "_slow")

    def __init__(self) -> None:
        super().__init__(-1.0, 0.0)
        self._slow: list[tuple[float, float] | None] = [None] * SLOWEST
        """By slot, how long a request took, and when it was over."""
        self._sampled = 0
        self._failed: dict[str, int] = {}
        self._failed_next = 0.0

    def slot(self, now: float, seconds: float, error: str) -> str | None:
        """Where a request that is over ``now`` is to be kept, and so why; None where it is not."""
        if now >= self.until:
            self._forget(now)
        return self._slot_of_failed(now, error) or self._slot_of_slow(now, seconds) or self._slot_of_sample(now)

    def _forget(self, now: float) -> None:
        self._slow = [one if one and now - one[1] < FORGET_AFTER else None for one in self._slow]
        self._set_bar()

    def _set_bar(self) -> None:
        self.seconds = -1.0 if None in self._slow else min(one[0] for one in self._slow if one)

    def _slot_of_failed(self, now: float, error: str) -> str | None:
        if not error or now < self._failed_next:
            return None
        if error not in self._failed and len(self._failed) >= MOST_ERRORS:
            error = next(reversed(self._failed))
        number = self._failed[error] = self._failed.get(error, -1) + 1
        self._failed_next = now + FAILED_EVERY
        return f"failed {error} {number % FAILED}"

    def _slot_of_slow(self, now: float, seconds: float) -> str | None:
        if seconds <= self.seconds:
            return None
        at = min(range(SLOWEST), key=lambda slot: self._slow[slot] or (-1.0, 0.0))
        self._slow[at] = (seconds, now)
        self._set_bar()
        return f"slow {at}"

    def _slot_of_sample(self, now: float) -> str | None:
        if now < self.until:
            return None
        self.until = now + SAMPLE_EVERY
        self._sampled += 1
        return f"sample {self._sampled % SAMPLED}"
