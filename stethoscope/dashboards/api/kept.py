"""Answers that are ready when somebody asks again.

A page, or a script, asks the same again and again. So a thread remakes each answer that was asked for, once a second for everybody,
and it is given at once. Numbers in it are never more than two seconds old: an older answer is given to nobody. When nobody has
asked for five seconds the thread ends, and whoever asks next waits until an answer is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Thread
from typing import Final, Generic, TypeVar

from stethoscope.store.turns import let_others_run

T = TypeVar("T")

FRESH: Final = 0.5
"""Seconds for which numbers are used for further answers."""
OLDEST: Final = 1.5
"""Seconds for which an answer is given: the numbers in it may have been as old as `FRESH` already."""
ANEW: Final = 0.8
"""Seconds after which it is remade."""
LOOKING: Final = 5.0
"""Seconds after a question for which more of the same are expected."""
_MOST: Final = 64


Make = Callable[[T | None, float], T | None]
"""Given what it is to replace, and for how many seconds the numbers may be older than `FRESH`."""


@dataclass(slots=True)
class _Answer(Generic[T]):
    """What was made for somebody who asked, of numbers as they were at ``began`` or shortly before, and how to remake it."""

    value: T
    make: Make[T]
    began: float
    asked: float


class Kept(Generic[T]):
    """Values by what was asked. Any thread, without a lock that a fork could leave held; their number is bounded.

    ``failed`` is told when one cannot be remade.
    """

    def __init__(self, failed: Callable[[Exception], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._failed = failed
        self._clock = clock
        self._answers: dict[Hashable, _Answer[T]] = {}
        self._cleared = float("-inf")
        self._thread: Thread | None = None

    def get(self, asked: Hashable) -> T | None:
        """What was made for an earlier asker; None if there is nothing, or nothing young enough."""
        now, answer = self._clock(), self._answers.get(asked)
        if answer is None:
            return None
        answer.asked = now
        self._look_after()
        return answer.value if now - answer.began < OLDEST else None

    def get_or_make(self, asked: Hashable, make: Make[T]) -> T | None:
        """The same, made now if need be. None, which is not kept, when there is no such thing."""
        known = self.get(asked)
        if known is not None:
            return known
        began = self._clock()
        value = make(None, 0.0)
        if value is not None:
            self._put(asked, _Answer(value, make, began, self._clock()))
            self._look_after()
        return value

    def clear(self) -> None:
        """Nobody who asks from now on gets what has been made so far, or is being made."""
        self._cleared = self._clock()
        self._answers.clear()

    def turn(self) -> float | None:
        """Remake what is due, all of the same numbers, and let go of what nobody asks for.

        Returns in how many seconds to come again; None if nobody looks.
        """
        began = self._clock()
        for asked, answer in list(self._answers.items()):
            if began - answer.asked >= LOOKING:
                self._answers.pop(asked, None)
            elif began - answer.began >= ANEW:
                self._make_anew(asked, answer, began)
                let_others_run()
        first = min((answer.began for answer in list(self._answers.values())), default=None)
        now = self._clock()
        # Answers that take long must not take more than half of a core.
        return None if first is None else max(first + ANEW - now, now - began)

    def _make_anew(self, asked: Hashable, answer: _Answer[T], began: float) -> None:
        try:
            value = answer.make(answer.value, self._clock() - began)
        except Exception as error:  # whoever asks next will be told, too
            self._failed(error)
            value = None
        if value is None:
            self._answers.pop(asked, None)
        else:
            self._put(asked, _Answer(value, answer.make, began, answer.asked))

    def _put(self, asked: Hashable, answer: _Answer[T]) -> None:
        if answer.began <= self._cleared:
            return
        while len(self._answers) >= _MOST and asked not in self._answers:
            self._answers.pop(next(iter(self._answers)), None)
        self._answers[asked] = answer

    def _look_after(self) -> None:
        """Have a thread that does what `turn` says; after a fork, too."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._run, name="stethoscope-answers", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # no more threads, or the end is near: answers are made when they are asked for
                self._thread = None

    def _run(self) -> None:
        while (seconds := self.turn()) is not None:
            time.sleep(max(seconds, 0.05))
