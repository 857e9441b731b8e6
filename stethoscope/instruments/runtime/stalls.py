"""What blocks an event loop: its thread's stack, looked at from another thread while the loop does not go on.

A loop on which a request begins goes on at that moment. So the watchdog looks 60 ms after the last request, and every 40 ms from then on, whether
a loop rests, by the innermost frame of its thread (``sys._current_frames``), which wakes nobody. A loop that does not is asked to say when it goes
on, and until it has, the stack is looked at. The line of the app's own code that was seen most often is what blocked.

So a block of 100 ms or longer is always looked into. Where a loop rests, and no request is being handled, or none has come for a
second, it is looked at every 250 ms until the next one comes (`Watchdog.goes_on`): to wake up
is most of what all this costs, and each request that comes within 60 ms of the one before saves it. A block that no request is there for is found
where it takes 330 ms. How long it was is known to within 60 ms. Where the interpreter itself was held, by compiled code that does not let go of it, the
watchdog is late too, and looks at once: what held it has just returned.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections import Counter
from time import perf_counter
from types import FrameType
from typing import Final, NamedTuple, Protocol
from weakref import ref

from stethoscope.current import Current, found_in
from stethoscope.frames import Place, innermost_own, stack
from stethoscope.instruments.runtime.alarm import PlainAlarm, make_alarm
from stethoscope.instruments.runtime.loops import NEVER, Watch

STALL: Final = 0.1
"""Seconds that a block may have lasted at least, to be told of."""
LOOK: Final = 0.04
"""Seconds between two looks."""
AFTER_REQUEST: Final = 0.06
"""Seconds after the last request in which no look is needed: with the next one, a block of 100 ms is seen."""
_SELDOM: Final = 0.25
"""Seconds between two looks while no requests come."""
_ALERT: Final = 1.0
"""Seconds for which a request that is not over keeps the watchdog looking."""
_OVERSLEPT: Final = 0.03
_AT_ONCE: Final = 0.05
"""Seconds that a block may have lasted by now, from which on it may be over by the next look."""
_FIRST_LOOKS: Final = 10
_LONGEST_BETWEEN_LOOKS: Final = 2.0
_MOST_PLACES: Final = 30
# Where a thread is when its loop has nothing to do, or waits for the interpreter.
_LOOPS: Final = re.compile(
    r"(?:^|/)(?:asyncio|selectors\.py|uvloop|uvicorn|hypercorn|granian|gunicorn|daphne|trio/_core)"
)


class Stall(NamedTuple):
    """One time that an event loop was blocked.

    ``late`` is for how many seconds it was seen not to go on: it was blocked for as long at least, and for ``at_most``
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
    """A loop that was asked to go on, and what was seen since. ``began`` is when it can have been blocked since, at the earliest."""

    def __init__(self, asked: float, began: float) -> None:
        self.asked = asked
        self.began = began
        self.request: Current | None = None
        self.stacks: Counter[tuple[Place, ...]] = Counter()
        self.looks = 0
        self.next_look = asked
        self.told = 0.0

    def look(self, frame: FrameType | None, now: float) -> None:
        self.looks += 1
        self.next_look = now + min(LOOK * 2.0 ** max(0, self.looks - _FIRST_LOOKS), _LONGEST_BETWEEN_LOOKS) - LOOK / 2
        self.request = self.request or request_of(frame)
        self.stacks[tuple(stack(frame, _MOST_PLACES))] += 1

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
            late + self.asked - self.began,
        )

    def _most_seen(self) -> tuple[tuple[Place, ...], int]:
        """Stacks that end at the same line of the app are the same to whoever looks for it."""
        by_line: Counter[Place | None] = Counter()
        for places, times in self.stacks.items():
            by_line[innermost_own(places)] += times
        line, looks = by_line.most_common(1)[0]
        return max((one for one in self.stacks if innermost_own(one) == line), key=self.stacks.__getitem__), looks


class ToldOfStalls(Protocol):
    """Is told what a watchdog finds. When it is gone, so is the thread."""

    def is_serving(self) -> bool:
        """Whether requests are being handled."""

    def stalled(self, stall: Stall) -> None: ...

    def failed(self, error: Exception) -> None: ...


class Watchdog:
    """A thread that looks after event loops, and is there only as long as there are any. ``told`` is told on it, and kept by others."""

    def __init__(self, told: ToldOfStalls) -> None:
        self._told = ref(told)
        self._cases: dict[Watch, _Case] = {}
        self.start_over()

    def start_over(self) -> None:
        """In a forked child: there is no thread of ours, and none of the loops runs."""
        self._lock = threading.Lock()
        self._watches: list[Watch] = []
        self._thread: threading.Thread | None = None
        self._alarm: PlainAlarm | None = None

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
                self._alarm = alarm = make_alarm()
                alarm.set(AFTER_REQUEST)
                self._thread = threading.Thread(
                    target=self._run, args=(alarm,), name="stethoscope-watchdog", daemon=True
                )
                self._thread.start()

    def goes_on(self) -> None:
        """On the loop: a request has come. What blocks the loop from now on is seen in time, and so is what blocks another."""
        alarm = self._alarm
        if alarm is None:
            return
        if len(self._watches) == 1:
            alarm.set(AFTER_REQUEST)
        elif alarm.due > perf_counter() + LOOK:
            alarm.set(LOOK)

    def _run(self, alarm: PlainAlarm) -> None:
        process = os.getpid()
        while True:
            alarm.wait()
            if os.getpid() != process or self._told() is None or not (watches := self._present()):
                return
            self._look_after(watches, max(alarm.since, alarm.due - AFTER_REQUEST), alarm.due)
            quiet = all(map(self._is_quiet, watches))
            alarm.set(_SELDOM if quiet else LOOK)
            if quiet and any(watch.asked for watch in watches):  # this very moment, so that it was set in vain
                alarm.set(LOOK)

    def _present(self) -> list[Watch]:
        with self._lock:
            self._watches = [watch for watch in self._watches if not watch.ended]
            if not self._watches:
                self._thread = None
                self._cases.clear()
            return list(self._watches)

    def _runs(self, watch: Watch) -> bool:
        """Whether somebody runs the loop."""
        if watch.stands():
            watch.stood = True
            self._cases.pop(watch, None)
            return False
        return True

    def _is_quiet(self, watch: Watch) -> bool:
        return watch.quiet or not self._runs(watch)

    def _look_after(self, watches: list[Watch], began: float, due: float) -> None:
        """Look at all loops, which was to be done when it was ``due``. None can have been blocked for longer than since ``began``."""
        now = perf_counter()
        frames = sys._current_frames()
        for watch in watches:
            try:
                if self._runs(watch):
                    self._look(watch, frames.get(watch.thread), began, due, now)
            except RuntimeError:  # it has ended this very moment
                watch.ended = True
            except Exception as error:
                watch.ended = True
                if told := self._told():
                    told.failed(error)

    def _look(self, watch: Watch, frame: FrameType | None, began: float, due: float, now: float) -> None:
        case = self._cases.get(watch)
        if case is not None and watch.answered != NEVER:
            self._close(watch, self._cases.pop(watch))
            case = None
        if case is None:
            watch.asked = False
            rests = frame is not None and watch.rests(frame)
            watch.quiet = rests and not self._may_be_busy_soon(watch, now)
            if frame is not None and not rests:
                self._open(watch, frame, began, due, now)
        elif now >= case.next_look:
            case.look(frame, now)
            late = now - case.asked
            if late >= max(1.0, 2 * case.told):  # it may never end
                self._tell(case.stall(watch, late, ongoing=True))

    def _may_be_busy_soon(self, watch: Watch, now: float) -> bool:
        """Whether a request that began not long ago is still being handled. One that goes on for long, as a stream does, mostly waits."""
        told = self._told()
        return now - watch.told < _ALERT and told is not None and told.is_serving()

    def _tell(self, stall: Stall) -> None:
        if told := self._told():
            told.stalled(stall)

    def _open(self, watch: Watch, frame: FrameType, began: float, due: float, now: float) -> None:
        self._cases[watch] = case = _Case(due if now - due > _OVERSLEPT else now, began)
        watch.ask()
        if now - began > _AT_ONCE:
            case.look(frame, now)

    def _close(self, watch: Watch, case: _Case) -> None:
        late = watch.answered - case.asked
        if case.looks and watch.answered - case.began >= STALL:
            self._tell(case.stall(watch, late, ongoing=False))


def request_of(frame: FrameType | None) -> Current | None:
    """The request that a stack works for, where the task that runs is the one that the server called the app in."""
    while frame is not None:
        found = found_in(frame)
        if found is not None:
            return found
        frame = frame.f_back
    return None
