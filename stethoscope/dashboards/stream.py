"""Server-sent events: the page's documents again and again, for any number of viewers at the price of one.

While somebody looks, one merge is made every two seconds in each process that has viewers, and each
document is made, encoded and compressed once; viewers get the same bytes. There is no thread and no
task of our own: on each event loop one of the viewers leads. It waits for the next tick, has it made, and calls the others,
a few at a time, because a thousand writes at once would hold up the app's requests. Then the next one leads. While nobody
looks it costs nothing.

A viewer that takes no bytes for some time is dropped. When the server is about to end, so do the streams. An event ``failed``
in place of ``tick`` says that there are no new numbers, and why, so that nobody takes silence for it.
"""

from __future__ import annotations

import math
import threading
import time
import zlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakKeyDictionary

import anyio
from anyio import to_thread
from anyio.lowlevel import RunVar

from stethoscope.asgi import Receive, Scope, Send
from stethoscope.dashboards.api.answers import to_json, wants_gzip
from stethoscope.dashboards.api.operations import OPERATIONS, Question
from stethoscope.dashboards.api.parameters import VIEW, WINDOW, Value, read_query
from stethoscope.dashboards.documents.window import NOTHING, Beside, Moment
from stethoscope.dashboards.flight import Flight
from stethoscope.dashboards.listening import Listening
from stethoscope.dashboards.metrics import OnError
from stethoscope.dashboards.threads import threads
from stethoscope.store.snapshot import Snapshot
from stethoscope.store.timeline import Point, point
from stethoscope.thresholds import Thresholds

TICK: Final = 2.0
"""Seconds from one event to the next."""
PATIENCE: Final = 20.0
"""Seconds after which a viewer that takes no bytes is dropped."""
ACCESS: Final = 60.0
"""Seconds after which it is asked again whether a viewer may look: sessions end, and a user's own rule can change its mind."""
_LOOK: Final = 0.2
"""Seconds after which the leader checks whether the server is about to end."""
_SMOOTHED: Final = 5
"""Ticks that a live point covers: a quantile of two seconds would jump about."""

_FEW: Final = 20
"""Viewers of one event loop that may get their events at once; more take turns."""
_TURNS: Final = 400
_TAKING_TURNS: Final = 0.4
"""Share of the time between two ticks in which they do."""

_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_RAW: Final = -15
_LEVEL: Final = 6

_OPERATION: Final = {
    "overview": "overview",
    "endpoints": "performance/endpoints",
    "database": "database",
    "requests": "requests",
    "system": "system",
}
"""Which operation's document a view is."""
_ALL: Final[Mapping[str, Mapping[str, Value]]] = {"endpoints": {"limit": 1000}}
"""Values in which a view asks for more than the operation gives by itself."""

View = tuple[str, str]
"""A view and a window."""
Access = Callable[[], Awaitable[bool]]
"""Whether a viewer may look. It may take its time: only its viewer waits."""


async def _anybody() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Frame:
    """One event, as it is and compressed so that it can follow any other."""

    plain: bytes
    deflated: bytes


@dataclass(slots=True)
class Tick:
    """What is sent at one time. Without a moment it tells that there is none."""

    number: int
    moment: Moment | None
    point: Point | None
    frames: dict[View, Frame] = field(default_factory=dict)


class Stream:
    """All viewers of one service. Works on asyncio and trio, in several event loops."""

    def __init__(
        self,
        moments: Flight[Moment],
        thresholds: Thresholds,
        on_error: OnError,
        tick_seconds: float = TICK,
        patience_seconds: float = PATIENCE,
        access_seconds: float = ACCESS,
        beside: Beside = NOTHING,
    ) -> None:
        self._moments = moments
        self._beside = beside
        self._thresholds = thresholds
        self._on_error = on_error
        self._tick_seconds = tick_seconds
        self._patience_seconds = patience_seconds
        self._access_seconds = access_seconds
        self._encoding = threading.Lock()

    async def serve(self, scope: Scope, receive: Receive, send: Send, access: Access = _anybody) -> None:
        """Send events until the viewer leaves, hangs, has no ``access`` any more, or the server is about to end.

        Raises `BadQuery` before anything is sent.
        """
        values = read_query(scope.get("query_string", b""), (VIEW, WINDOW))
        view = (str(values["view"]), str(values["window"]))
        compressed = wants_gzip(scope)
        await send({"type": "http.response.start", "status": 200, "headers": _headers(compressed)})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_leave_with_client, receive, tasks.cancel_scope)
            loop = self._loop(scope)
            with loop.viewer(view):
                await self._feed(loop, view, compressed, send, _Asked(access, self._access_seconds), tasks.cancel_scope)
            tasks.cancel_scope.cancel()

    async def _feed(
        self, loop: _Loop, view: View, compressed: bool, send: Send, access: Access, viewing: anyio.CancelScope
    ) -> None:
        opening = _GZIP_HEADER if compressed else b""
        seen = 0
        while (tick := await loop.after(seen, self._tick)) is not None:
            frame = tick.frames.get(view)
            if frame is None:  # nobody looked at this view when the tick was made
                frame = await to_thread.run_sync(self._frame, tick, view, limiter=threads())
            body = opening + (frame.deflated if compressed else frame.plain)
            viewing.deadline = anyio.current_time() + self._patience_seconds
            if not await access():
                break
            await send({"type": "http.response.body", "body": body, "more_body": True})
            viewing.deadline = math.inf
            seen, opening = tick.number, b""
        await send({"type": "http.response.body", "body": b""})

    def _loop(self, scope: Scope) -> _Loop:
        try:
            loops = _loops.get()
        except LookupError:
            loops = WeakKeyDictionary()
            _loops.set(loops)
        if self not in loops:
            loops[self] = _Loop(self._tick_seconds)
        loops[self].listens(scope)
        return loops[self]

    def _tick(self, number: int, earlier: deque[Snapshot], views: list[View]) -> Tick:
        """Make the next tick, with a frame for each view that somebody looks at. In a thread. Raises nothing."""
        ask = self._moments.ask()
        try:
            moment = ask.result()
            tick = Tick(number, moment, _live(moment, earlier))
        except Exception as error:
            self._on_error("stream", error)
            tick = Tick(number, None, None)
        finally:
            ask.leave()
        for view in views:
            self._frame(tick, view)
        return tick

    def _frame(self, tick: Tick, view: View) -> Frame:
        with self._encoding:
            if view not in tick.frames:
                tick.frames[view] = self._made_frame(tick, view)
            return tick.frames[view]

    def _made_frame(self, tick: Tick, view: View) -> Frame:
        if tick.moment is None:
            return _encoded(b"failed", tick, {"detail": "The numbers could not be read; the log says why."})
        try:
            return _encoded(b"tick", tick, self._document(tick.moment, tick.point, view))
        except Exception as error:
            self._on_error("stream", error)
            return _encoded(b"failed", tick, {"detail": "This view could not be made; the log says why."})

    def _document(self, moment: Moment, live: Point | None, view: View) -> Mapping[str, Any]:
        operation = next(one for one in OPERATIONS if one.path == _OPERATION[view[0]])
        values = {parameter.name: parameter.default for parameter in operation.parameters}
        values |= _ALL.get(view[0], {})
        if "window" in values:
            values["window"] = view[1]
        document = operation.answer(Question(lambda: moment, self._beside, values, self._thresholds))
        return {"view": view[0], "point": live, "document": document}


class _Asked:
    """Asks for a viewer who was let in a moment ago, and then no more often than every so many seconds."""

    def __init__(self, access: Access, seconds: float) -> None:
        self._access = access
        self._seconds = seconds
        self._due = anyio.current_time() + seconds

    async def __call__(self) -> bool:
        if anyio.current_time() < self._due:
            return True
        may = await self._access()
        self._due = anyio.current_time() + self._seconds
        return may


Make = Callable[[int, deque[Snapshot], list[View]], Tick]
"""Makes the tick of this number for these views; told what was made earlier, to which it adds."""


class _Loop:
    """The viewers on one event loop, one of whom leads.

    It knows the stream only while somebody looks: what `_loops` has by the stream must not keep it.
    """

    def __init__(self, tick_seconds: float) -> None:
        self._tick_seconds = tick_seconds
        self._viewers: Counter[View] = Counter()
        self._latest: Tick | None = None
        self._earlier: deque[Snapshot] = deque(maxlen=_SMOOTHED)
        self._leading = False
        self._due = 0.0
        self._listening: Listening | None = None
        self._over = False
        self._waiting: deque[anyio.Event] = deque()
        """Who waits for the next tick, or to lead."""
        self._called: deque[anyio.Event] = deque()
        """Who waits for his turn to get the tick that has been made."""

    def listens(self, scope: Scope) -> None:
        if self._listening is None:
            self._listening = Listening(scope)

    @contextmanager
    def viewer(self, view: View) -> Iterator[None]:
        """One viewer, from its first event to its last."""
        self._viewers[view] += 1
        try:
            yield
        finally:
            self._viewers[view] -= 1
            self._viewers += Counter()  # which leaves out what nobody looks at
            if not self._viewers:
                self._rest()

    def _rest(self) -> None:
        """Nobody looks any more; whoever comes next gets the first event at once."""
        self._latest = self._listening = None
        self._due, self._over = 0.0, False
        self._earlier.clear()

    async def after(self, seen: int, make: Make) -> Tick | None:
        """The tick that follows number ``seen``, which whoever leads has made by ``make``; None when the server is about to end."""
        while not self._over and (self._latest is None or self._latest.number <= seen):
            await (self._wait() if self._leading else self._lead(make))
        return None if self._over else self._latest

    async def _wait(self) -> None:
        """Wait until the leader calls. A viewer that leaves when it was called to lead calls the next one."""
        event = anyio.Event()
        self._waiting.append(event)
        try:
            await event.wait()
        except BaseException:
            if event in self._waiting:
                self._waiting.remove(event)
            elif not self._leading:
                self._call(self._waiting, 1)
            raise

    async def _lead(self, make: Make) -> None:
        """Wait until the next tick is due, have it made and call the others, unless the server is about to end."""
        self._leading = True
        try:
            while (wait := self._due - time.monotonic()) > 0:
                await anyio.sleep(min(wait, _LOOK))
                if self._listening is not None and self._listening.is_over():
                    self._over = True
                    return
            await self._advance(make)
            await self._take_turns()
        finally:
            self._leading = False
            self._call(self._called, len(self._called))
            self._call(self._waiting, len(self._waiting) if self._over else 1)

    async def _advance(self, make: Make) -> None:
        self._due = time.monotonic() + self._tick_seconds
        number = self._latest.number + 1 if self._latest else 1
        self._latest = await to_thread.run_sync(make, number, self._earlier, list(self._viewers), limiter=threads())

    async def _take_turns(self) -> None:
        """Call all who wait for the tick: few at once, many a few at a time."""
        self._called, self._waiting = self._waiting, deque()
        number = len(self._called)
        while number > _FEW and self._called:
            self._call(self._called, math.ceil(number / _TURNS))
            await anyio.sleep(self._tick_seconds * _TAKING_TURNS / _TURNS)

    @staticmethod
    def _call(waiting: deque[anyio.Event], number: int) -> None:
        for _ in range(min(number, len(waiting))):
            waiting.popleft().set()


_loops: RunVar[WeakKeyDictionary[Stream, _Loop]] = RunVar("stethoscope_stream_loops")


async def _leave_with_client(receive: Receive, viewing: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    viewing.cancel()


def _live(moment: Moment, earlier: deque[Snapshot]) -> Point | None:
    """What happened in the last ticks, or since a reset that was later."""
    present, start = moment.present, earlier[0] if earlier else None
    earlier.append(present)
    if start is None:
        return None
    seconds, since_reset = max(0.001, present.since_boot - start.since_boot), moment.since_reset()
    later = since_reset.seconds is not None and since_reset.seconds < seconds
    return point(since_reset if later else present.minus(start, seconds))


def _encoded(kind: bytes, tick: Tick, data: Mapping[str, Any]) -> Frame:
    plain = b"event: %b\nid: %d\ndata: %b\n\n" % (kind, tick.number, to_json(data))
    # Ended by a full flush, nothing of a frame refers to another, so that each viewer's frames follow the same header.
    compressor = zlib.compressobj(_LEVEL, wbits=_RAW)
    return Frame(plain, compressor.compress(plain) + compressor.flush(zlib.Z_FULL_FLUSH))


def _headers(compressed: bool) -> list[tuple[bytes, bytes]]:
    common = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"vary", b"Accept-Encoding"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-accel-buffering", b"no"),  # nginx would wait for more before it sends any
    ]
    return [*common, (b"content-encoding", b"gzip")] if compressed else common
