"""One result for all who ask at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """Shares what ``make`` returns among those who overlap. Safe in any threads and event loops.

    Guarantee: a result goes to those who began to ask before it was complete, and to later ones only if they accept a result
    that is some seconds old. When ``make`` raises, the asker whose turn it was gets the error, and the next one calls it
    again. Nothing is kept while nobody asks, unless somebody may ask for what is ``kept_seconds`` old: that is kept
    until it is replaced, or `rest` finds it older.
    """

    def __init__(
        self, make: Callable[[], T], clock_ns: Callable[[], int] = time.monotonic_ns, kept_seconds: float = 0.0
    ) -> None:
        self._make = make
        self._clock_ns = clock_ns
        self._kept_ns = int(kept_seconds * 1e9)
        self._making = threading.Lock()
        self._counting = threading.Lock()
        self._asks: set[Ask[T]] = set()
        self._latest: tuple[int, T] | None = None

    def ask(self, seconds_old: float = 0.0) -> Ask[T]:
        """Begin to ask, for something that may be so many seconds old. Whoever asks must leave, whatever happens."""
        ask = Ask(self, self._clock_ns() - int(seconds_old * 1e9))
        with self._counting:
            self._asks.add(ask)
        return ask

    def result(self, asked_ns: int) -> T:
        with self._making:
            latest = self._latest
            if latest is None or latest[0] < asked_ns:
                made = self._make()
                latest = self._latest = (self._clock_ns(), made)
            return latest[1]

    def leave(self, ask: Ask[T]) -> None:
        with self._counting:
            self._asks.discard(ask)
            if not self._asks and not self._kept_ns:
                self._latest = None

    def rest(self) -> None:
        """Let go of a result that nobody will ask for any more."""
        with self._counting:
            latest = self._latest
            if not self._asks and latest is not None and self._clock_ns() - latest[0] > self._kept_ns:
                self._latest = None

    def forget(self) -> None:
        """Nobody who asks from now on gets what has been made so far, or is being made. Blocks while it is being made."""
        with self._making, self._counting:
            self._latest = None


class Ask(Generic[T]):
    """One who asks, from the moment of asking until `leave`."""

    __slots__ = ("_asked_ns", "_flight")

    def __init__(self, flight: Flight[T], asked_ns: int) -> None:
        self._flight = flight
        self._asked_ns = asked_ns

    def result(self) -> T:
        """The result. Blocks while it is being made; raises what making it raises."""
        return self._flight.result(self._asked_ns)

    def leave(self) -> None:
        """The result is not needed any more. Any number of times, from any thread.

        The last to leave frees the result, which for a big one takes its time: better in a thread than
        on an event loop.
        """
        self._flight.leave(self)
