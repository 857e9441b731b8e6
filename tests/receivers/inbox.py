"""What came to a receiver, what it answers, and waiting for either."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Generic, TypeVar

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds after which a test gives up on what must come."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answers. ``hang`` is how long it lets its clients wait for that, ``half`` breaks off in the middle."""

    status: int = 200
    grpc_status: Any = None
    rejected: int = 0
    message: str = ""
    retry_after: str = ""
    location: str = ""
    half: bool = False
    hang: threading.Event | None = None

    @property
    def accepts(self) -> bool:
        return self.status < 300 and self.grpc_status is None and not self.half


FINE = Answer()
HALF = Answer(half=True)


class Inbox(Generic[T]):
    """Things that were accepted, in order. ``answer`` is given from now on, after those of ``first``, each given once."""

    def __init__(self, answer: Answer = FINE, first: Iterable[Answer] = ()) -> None:
        self.answer = answer
        self._first = deque(first)
        self._changed = threading.Condition()
        self._accepted: list[T] = []
        self._looked_at = 0
        self.attempts = 0
        """How often it was asked, accepted or not."""

    def take(self, read: Callable[[], T]) -> Answer:
        """What to answer; what was sent is ``read`` only if it is accepted."""
        with self._changed:
            answer = self._first.popleft() if self._first else self.answer
            self.attempts += 1
            self._changed.notify_all()
        if answer.hang is not None:
            answer.hang.wait(PATIENCE * 3)
        if answer.accepts:
            with self._changed:
                self._accepted.append(read())
                self._changed.notify_all()
        return answer

    def all(self) -> list[T]:
        with self._changed:
            return list(self._accepted)

    def next(self) -> T:
        """The first that was not looked at yet, waited for."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._accepted) > self._looked_at, PATIENCE):
                raise AssertionError("nothing was received")
            self._looked_at += 1
            return self._accepted[self._looked_at - 1]

    def until(self, fits: Callable[[T], bool]) -> T:
        """The next that ``fits``."""
        end = monotonic() + PATIENCE
        while monotonic() < end:
            received = self.next()
            if fits(received):
                return received
        raise AssertionError("nothing that fits was received")

    def left(self) -> list[T]:
        """All that was not looked at yet."""
        with self._changed:
            found = self._accepted[self._looked_at :]
            self._looked_at = len(self._accepted)
            return found

    def wait_for(self, holds: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Whether it holds in the end; looked at whenever something comes."""
        with self._changed:
            return self._changed.wait_for(holds, seconds)

    def wait_for_attempts(self, count: int) -> None:
        assert self.wait_for(lambda: self.attempts >= count), f"asked {self.attempts} times instead of {count}"

    def let_go(self) -> None:
        """Have nobody wait any longer."""
        if self.answer.hang is not None:
            self.answer.hang.set()
