"""What blocks an event loop: its thread's stack, looked at from another thread while the loop is late.

The watchdog sleeps until a loop's timer is overdue by 50 ms, which is never while the loop is well. Then it looks at
the stack of the loop's thread (``sys._current_frames``), again and again until the timer has run. The line of the
app's own code that was seen most often is what blocked.

While requests come, a block of 250 ms or longer (450 ms where they are few) is always seen, one of 50 to 250 ms where the timer was due early in
it (half of those of 150 ms), a shorter one never. How long it was is known to within the timer's period.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from time import perf_counter
from types import FrameType
from typing import Final, NamedTuple

from stethoscope.current import Current
from stethoscope.frames import Place, innermost_own, stack
from stethoscope.instruments.runtime.loops import LONGEST, NEVER, PERIOD, Watch

OVERDUE: Final = 0.05
"""Seconds after which a timer that has not run is looked into."""
_FIRST_LOOKS: Final = 10
_BETWEEN_LOOKS: Final = 0.05
_LONGEST_BETWEEN_LOOKS: Final = 2.0
_MOST_PLACES: Final = 30
# Where a thread is when its loop has nothing to do, or waits for the interpreter.
_LOOPS: Final = re.compile(
    r"(?:^|/)(?:asyncio|selectors\.py|uvloop|uvicorn|hypercorn|granian|gunicorn|daphne|trio/_core)"
)


class Stall(NamedTuple):
    """One time that an event loop was blocked.

    ``late`` is by how many seconds its timer was late: it was blocked for as long at least, and for ``at_most``
    seconds. ``stack`` is the one seen in most of the ``looks``, the innermost first. ``ongoing`` says that the
    loop is still blocked; ``told_before``, that it was when this stall was told of for the first time.
    """

    loop: str
    late: float
    stack: tuple[Place, ...]
    looks: int
    looks_here: int
    request: Current | None
    thread: str
    seen_at: float
    ongoing: bool
    told_before: bool
    at_most: float

    @property
    def where(self) -> Place | None:
        """The line that blocked: the innermost of the app's own, else the innermost there is.

        None where the thread was in the loop itself: it waited for a processor, or for another thread that held the interpreter.
        """
        own = innermost_own(self.stack)
        if own is None and self.stack and not _LOOPS.search(self.stack[0].file):
            return self.stack[0]
        return own


class _Case:
    """A timer that is overdue, and what was seen since."""

    def __init__(self, watch: Watch) -> None:
        self.due = watch.due
        self.period = watch.period
        self.request: Current | None = None
        self.stacks: Counter[tuple[Place, ...]] = Counter()
        self.looks = 0
        self.told = 0.0

    def look(self, thread: int) -> None:
        frame = sys._current_frames().get(thread)
        self.looks += 1
        self.request = self.request or request_of(frame)
        self.stacks[tuple(stack(frame, _MOST_PLACES))] += 1

    @property
    def pause(self) -> float:
        """Seconds until the next look."""
        return min(_BETWEEN_LOOKS * 2.0 ** max(0, self.looks - _FIRST_LOOKS), _LONGEST_BETWEEN_LOOKS)

    def stall(self, watch: Watch, late: float, *, ongoing: bool) -> Stall:
        before, self.told = self.told, late
        here, looks_here = self._most_seen()
        thread = next((one.name for one in threading.enumerate() if one.ident == watch.thread), "")
        return Stall(
            watch.kind,
            late,
            here,
            self.looks,
            looks_here,
            self.request,
            thread,
            time.time(),
            ongoing,
            before > 0,
            late + self.period,
        )

    def _most_seen(self) -> tuple[tuple[Place, ...], int]:
        """Stacks that end at the same line of the app's are the same to who looks for it."""
        by_line: Counter[Place | None] = Counter()
        for places, times in self.stacks.items():
            by_line[innermost_own(places)] += times
        line, looks = by_line.most_common(1)[0]
        return max((one for one in self.stacks if innermost_own(one) == line), key=self.stacks.__getitem__), looks


class Watchdog:
    """A thread that looks after event loops, and is there only as long as there are any. ``tell`` is called on it."""

    def __init__(self, tell: Callable[[Stall], None], failed: Callable[[Exception], None]) -> None:
        self._tell = tell
        self._failed = failed
        self._cases: dict[Watch, _Case] = {}
        self._news = threading.Event()
        self.start_over()

    def start_over(self) -> None:
        """In a forked child: there is no thread of ours, and none of the loops runs."""
        self._lock = threading.Lock()
        self._watches: list[Watch] = []
        self._thread: threading.Thread | None = None

    @property
    def watches(self) -> list[Watch]:
        """Those that have not ended, as far as has been noticed."""
        with self._lock:
            return list(self._watches)

    @property
    def is_there(self) -> bool:
        with self._lock:
            return self._thread is not None

    def guard(self, watch: Watch) -> None:
        with self._lock:
            self._watches.append(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="stethoscope-watchdog", daemon=True)
                self._thread.start()
        self._news.set()

    def look_sooner(self) -> None:
        """A timer is due sooner than it was."""
        self._news.set()

    def _run(self) -> None:
        process = os.getpid()
        while os.getpid() == process and (watches := self._present()):
            wake = min(map(self._look_after, watches))
            self._news.wait(max(wake - perf_counter(), 0.005))
            self._news.clear()

    def _present(self) -> list[Watch]:
        with self._lock:
            self._watches = [watch for watch in self._watches if not watch.ended]
            if not self._watches:
                self._thread = None
                self._cases.clear()
            return list(self._watches)

    def _look_after(self, watch: Watch) -> float:
        """Returns when to look again."""
        try:
            return self._look(watch, perf_counter())
        except Exception as error:
            watch.ended = True
            self._failed(error)
            return perf_counter()

    def _look(self, watch: Watch, now: float) -> float:
        due, case = watch.due, self._cases.get(watch)
        if case is not None and due != case.due:
            del self._cases[watch]
            self._tell(case.stall(watch, watch.late, ongoing=False))
            case = None
        if due == NEVER:
            return now + PERIOD
        if now < due + OVERDUE:
            return due + OVERDUE
        if watch.stands():
            watch.stood = True
            self._cases.pop(watch, None)
            return now + LONGEST
        return self._investigate(watch, case or self._cases.setdefault(watch, _Case(watch)), now)

    def _investigate(self, watch: Watch, case: _Case, now: float) -> float:
        case.look(watch.thread)
        late = now - case.due
        if late >= max(1.0, 2 * case.told):  # it may never end
            self._tell(case.stall(watch, late, ongoing=True))
        return now + case.pause


def request_of(frame: FrameType | None) -> Current | None:
    """The request that a stack works for, where the task that runs is the one that the server called the app in."""
    while frame is not None:
        if frame.f_globals.get("__name__") == "stethoscope.middleware.layer" and frame.f_code.co_name == "__call__":
            found = frame.f_locals.get("exchange")
            return found if isinstance(found, Current) else None
        frame = frame.f_back
    return None
