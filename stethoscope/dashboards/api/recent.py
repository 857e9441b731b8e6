"""Answers of the last half second: who asks the same again so soon is given the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

FRESH: Final = 0.5
"""Seconds for which an answer is given again, and numbers are taken for another answer: so one is up to a second old."""
_MOST: Final = 64


class Recent(Generic[T]):
    """Values by what was asked, each for half a second. Any thread.

    Old ones go when a new one comes, and all of them by `clear`: what is left is bounded in number.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._values: dict[Hashable, tuple[float, T]] = {}

    def get(self, asked: Hashable) -> T | None:
        made, value = self._values.get(asked, (-FRESH, None))
        return value if self._clock() - made < FRESH else None

    def put(self, asked: Hashable, value: T) -> None:
        now = self._clock()
        for key, (made, _) in list(self._values.items()):
            if now - made >= FRESH or len(self._values) >= _MOST:
                self._values.pop(key, None)
        self._values[asked] = (now, value)

    def clear(self) -> None:
        self._values.clear()
