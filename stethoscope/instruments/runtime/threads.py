"""Threads that an event loop gives blocking calls to: AnyIO's, behind a limiter, and those of the default executor."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakMethod

if TYPE_CHECKING:
    from anyio import CapacityLimiter


class Limiter(NamedTuple):
    """State of AnyIO's default limiter."""

    limit: float
    borrowed: int
    waiting: int


class Executor(NamedTuple):
    """State of a loop's default executor."""

    limit: int
    threads: int
    queued: int


def anyio_limiter(library: str, waited: Callable[[float], None]) -> CapacityLimiter | None:
    """The running loop's limiter, where the app uses AnyIO; ``waited`` is called with the seconds that calls wait from now on.

    To be called on the loop, which is one of ``library``: in a task, or in a callback that has a context of its own.
    ``waited`` is a method; when its object is gone, the next one that is given takes its place. AnyIO is not asked before
    the app has used it: it would import what it needs, for milliseconds in which the loop stands still.
    """
    if f"anyio._backends._{'trio' if library == 'trio' else 'asyncio'}" not in sys.modules:
        return None
    from anyio.to_thread import current_default_thread_limiter

    if library != "trio" and asyncio.current_task() is None and "sniffio" in sys.modules:
        # Where sniffio is there, AnyIO asks it which library runs, and it knows by itself only in tasks.
        sys.modules["sniffio"].current_async_library_cvar.set("asyncio")
    limiter = current_default_thread_limiter()
    _time_waits(limiter, waited)
    return limiter


def _time_waits(limiter: Any, waited: Callable[[float], None]) -> None:
    """On asyncio, calls that wait are in an ordered dictionary: one that looks at the clock takes its place.

    On trio they are not, and how long they wait stays unknown.
    """
    queue = getattr(limiter, "_wait_queue", None)
    if type(queue) is OrderedDict:
        limiter._wait_queue = _TimedQueue(queue, waited)
    elif isinstance(queue, _TimedQueue) and queue.waited() is None:
        queue.waited = WeakMethod(waited)


class _TimedQueue(OrderedDict[Any, Any]):
    """Tells how long its items were in it when they are taken out from its front: they are served then, not given up."""

    def __init__(self, items: OrderedDict[Any, Any], waited: Callable[[float], None]) -> None:
        self._since: dict[Any, float] = {}
        self.waited = WeakMethod(waited)
        super().__init__(items)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self._since[key] = perf_counter()

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        self._since.pop(key, None)

    def pop(self, key: Any, *default: Any) -> Any:
        self._since.pop(key, None)
        return super().pop(key, *default)

    def popitem(self, last: bool = True) -> tuple[Any, Any]:
        since = self._since.get(next(reversed(self) if last else iter(self), None))
        item = super().popitem(last)
        self._since.pop(item[0], None)
        if since is not None and (waited := self.waited()) is not None:
            waited(perf_counter() - since)
        return item


def limiter_state(limiter: CapacityLimiter) -> Limiter:
    """On the limiter's loop."""
    state = limiter.statistics()
    return Limiter(state.total_tokens, state.borrowed_tokens, state.tasks_waiting)


def default_executor(loop: object) -> Executor | None:
    """None where the loop has made none yet, or it is none of threads. Any thread."""
    executor = getattr(loop, "_default_executor", None) or _executor_of_uvloop(loop)
    if not isinstance(executor, ThreadPoolExecutor):
        return None
    return Executor(executor._max_workers, len(executor._threads), executor._work_queue.qsize())


def _executor_of_uvloop(loop: object) -> object | None:
    """It is an attribute that Python code cannot see, but what the garbage collector sees."""
    if type(loop).__module__.partition(".")[0] != "uvloop":
        return None
    return next((one for one in gc.get_referents(loop) if isinstance(one, ThreadPoolExecutor)), None)
