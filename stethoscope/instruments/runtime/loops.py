"""How late an event loop is: a timer on the loop itself, on asyncio, uvloop and trio.

The timer is due every 200 ms while requests come, and once a second while none do: an idle
loop is hardly ever woken, which is what costs most. A timer that runs late tells how long all that was ready had to wait. What
holds a loop up is for the watchdog to find (`stethoscope.instruments.runtime.stalls`), which needs to know whether a loop
has nothing to do, and whether it goes on.

On asyncio and uvloop it is a bare timer handle: no task that could be cancelled, awaited or found pending at the
end. On trio it is a system task, which ends with the run. Neither holds a request's context.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from contextvars import Context
from time import perf_counter
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Final
from weakref import ref

from stethoscope import hot

if TYPE_CHECKING:
    import trio
    from anyio import CapacityLimiter

    from stethoscope.instruments.runtime.threads import Limiter

PERIOD: Final = 0.2
"""Seconds between two runs of the timer while requests come."""
QUIET: Final = 0.4
"""Seconds between two runs from which on the timer is reset when a request comes."""
LONGEST: Final = 1.0
"""Seconds between two runs of the timer at most."""
_COUNT_EVERY: Final = 2.0
_COUNT_SHARE: Final = 0.0002
"""What counting tasks may take of the loop's time."""
NEVER: Final = float("inf")
_RUN_ONCE: Final = asyncio.BaseEventLoop._run_once.__code__  # type: ignore[attr-defined]
"""Calls what waits, and then `_RUN_HANDLE` for all that is ready."""
_RUN_HANDLE: Final = asyncio.Handle._run.__code__


class Told:
    """Is told, on the loop, what a watch sees. When it is gone, the watch ends."""

    def late(self, watch: Watch, seconds: float) -> None:
        """A timer has run, so many seconds after it was due."""

    def failed(self, error: Exception) -> None:
        """The loop cannot be watched any longer."""


class Watch(hot.Watch):
    """One event loop that is watched. It is made, and runs, on the loop; other threads read what is public.

    Each public field says who writes it: the loop, the watchdog's thread, or a request that arrives on the loop.
    """

    period: float
    """Loop: in how many seconds the timer is made to run again."""
    busy: bool
    """Request: there have been some since the timer ran last. The loop takes it back."""
    asked: bool
    """Request: there has been one since the watchdog looked. The watchdog takes it back."""
    told: float
    """Request: when the watchdog was told of one last, on the clock of ``perf_counter``."""

    kind = ""

    def __init__(self, told: Told) -> None:
        self.thread = threading.get_ident()
        self.due = NEVER
        """Loop: when the timer has to run, on the clock of ``perf_counter``; `NEVER` while it is running."""
        self.late = 0.0
        """Loop: by how many seconds the timer was late the last time."""
        self.answered = NEVER
        """Loop: when it has answered what it was `ask`ed last. The watchdog sets it to `NEVER` when it asks."""
        self.tasks = 0
        """Loop: how many tasks there were when they were counted last."""
        self.limiter: CapacityLimiter | None = None
        """Loop: AnyIO's, where it has one."""
        self.limited: Limiter | None = None
        """Loop: what was seen of the limiter last."""
        self.ended = False
        """Any thread: the loop will not run again, or cannot be watched any longer."""
        self.stood = False
        """Watchdog: it has seen the loop stand still; how late the timer is then means nothing."""
        self.quiet = False
        """Watchdog: the loop rests, and no request is being handled."""
        self._told = ref(told)
        self._counted = 0.0
        self.period = PERIOD
        self.busy = self.asked = True
        self.told = 0.0

    def loop(self) -> object | None:
        """What `current_loop` says on it; None when there is none any more."""
        raise NotImplementedError

    def stands(self) -> bool:
        """Whether nobody runs the loop at present, or ever again: then it has ``ended``. Any thread."""
        raise NotImplementedError

    def rests(self, frame: FrameType) -> bool:
        """Whether the loop waits for something to do, where ``frame`` is the innermost of its thread. Any thread.

        Said only when it is known: a loop that is busy never rests, one that rests may seem busy.
        """
        raise NotImplementedError

    def ask(self) -> None:
        """Have the loop say when it goes on: see ``answered``. Any thread. Raises RuntimeError when it has ended."""
        self.answered = NEVER
        self._ask()

    def _ask(self) -> None:
        raise NotImplementedError

    def _answer(self) -> None:
        self.answered = perf_counter()

    def hurry(self) -> None:
        """Have the timer run within `PERIOD`, as it has just been quiet and is no more; for one request, once."""
        self.period, self.busy = PERIOD, False
        self._again()

    def _again(self) -> None:
        """Have the timer run after ``period``, and no more when it was to run before."""
        raise NotImplementedError

    def _count_tasks(self) -> int:
        raise NotImplementedError

    def _ran(self) -> None:
        """The timer has run. Never raises."""
        try:
            now = perf_counter()
            self.late, self.due = max(now - self.due, 0.0), NEVER
            told = self._told()
            if told is None:
                self.ended = True
            elif not self.stood:
                told.late(self, self.late)
            self.stood = False
            self.period = PERIOD if self.busy else LONGEST
            self.busy = False
            if now >= self._counted:
                self.tasks = self._count_tasks()
                self._counted = now + max(_COUNT_EVERY, (perf_counter() - now) / _COUNT_SHARE)
        except Exception as error:
            self.ended = True
            if told := self._told():
                told.failed(error)


class AsyncioWatch(Watch):
    """Of a loop of asyncio's, or of uvloop's."""

    def __init__(self, loop: asyncio.AbstractEventLoop, told: Told) -> None:
        super().__init__(told)
        self.kind = "uvloop" if type(loop).__module__.partition(".")[0] == "uvloop" else "asyncio"
        self._loop = ref(loop)
        self._timer: asyncio.TimerHandle | None = None
        self._base: CodeType | None = None
        """What runs a loop that is compiled, as uvloop is: there is no Python above it while the loop rests."""
        self._again()

    def loop(self) -> asyncio.AbstractEventLoop | None:
        return self._loop()

    def stands(self) -> bool:
        loop = self.loop()
        self.ended = self.ended or loop is None or loop.is_closed()
        if self.ended:
            self._timer = self.limiter = None  # they hold the loop
        return loop is None or not loop.is_running()

    def rests(self, frame: FrameType) -> bool:
        if self._base is not None:
            return frame.f_code is self._base
        outer = frame.f_back
        return outer is not None and outer.f_code is _RUN_ONCE and frame.f_code is not _RUN_HANDLE

    def _ask(self) -> None:
        loop = self.loop()
        if loop is None:
            raise RuntimeError("the event loop is gone")
        loop.call_soon_threadsafe(self._answer, context=Context())

    def _again(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = self.loop()
        if loop is not None and not self.ended:
            self.due = perf_counter() + self.period
            self._timer = loop.call_later(self.period, self._tick, context=Context())

    def _tick(self) -> None:
        if self._base is None and (caller := sys._getframe(1).f_code) is not _RUN_HANDLE:
            self._base = caller
        self._ran()
        self._again()

    def _count_tasks(self) -> int:
        return len(asyncio.all_tasks(self.loop()))


class TrioWatch(Watch):
    """Of a run of trio's."""

    kind = "trio"

    def __init__(self, told: Told) -> None:
        import trio

        super().__init__(told)
        self._run = trio.lowlevel.current_trio_token()
        self._sooner = trio.Event()
        trio.lowlevel.spawn_system_task(self._tick, name="stethoscope")

    def loop(self) -> trio.lowlevel.TrioToken | None:
        return None if self.ended else self._run

    def stands(self) -> bool:
        return self.ended

    def rests(self, frame: FrameType) -> bool:
        return frame.f_code.co_name == "get_events" and frame.f_globals.get("__name__", "").startswith(
            "trio._core._io_"
        )

    def _ask(self) -> None:
        self._run.run_sync_soon(self._answer)

    def _again(self) -> None:
        self.due = perf_counter() + self.period
        self._sooner.set()

    async def _tick(self) -> None:
        import trio

        # What left this task, other than that it is cancelled, would end the whole run.
        try:
            self.due = perf_counter() + self.period
            while not self.ended:
                with trio.move_on_after(max(0.0, self.due - perf_counter())):
                    await self._sooner.wait()
                if self._sooner.is_set():
                    self._sooner = trio.Event()
                if perf_counter() >= self.due:
                    self._ran()
                    self.due = perf_counter() + self.period
        finally:
            self.ended = True

    def _count_tasks(self) -> int:
        import trio

        return trio.lowlevel.current_statistics().tasks_living


def current_loop() -> object | None:
    """What tells the running event loop from all others; None outside of one. Takes 50 ns on asyncio and uvloop."""
    loop = asyncio._get_running_loop()
    return _current_run() if loop is None else loop


def _current_run() -> trio.lowlevel.TrioToken | None:
    if "trio" not in sys.modules:
        return None
    import trio

    return trio.lowlevel.current_trio_token() if trio.lowlevel.in_trio_run() else None


def watch_current(told: Told) -> Watch | None:
    """Watch the running event loop from now on. None outside of one that we know. To be called on it."""
    loop = current_loop()
    if isinstance(loop, asyncio.AbstractEventLoop):
        return AsyncioWatch(loop, told)
    return None if loop is None else TrioWatch(told)
