"""The observer that keeps requests: chooses on the event loop, writes in the housekeeping thread."""

from __future__ import annotations

import atexit
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from stethoscope.middleware.following.account import Account, Details, Raised, account, fitting, line, raised, told
from stethoscope.middleware.following.choice import Choice
from stethoscope.middleware.following.request_log import RequestLog
from stethoscope.middleware.observer import Observer
from stethoscope.names import DROPPED_LINES, REQUESTS
from stethoscope.store.recorder import Recorder

if TYPE_CHECKING:
    from stethoscope.middleware.exchange import Exchange

WRITTEN_EVERY: Final = 1.0
_MOST_KEPT: Final = 50
"""Requests that are kept in a second at most."""
_MOST_LOGGED: Final = 10_000
"""Requests that wait for being written into a log at most."""
_MOST_ROUTES: Final = 500
_CARRIED: Final = "followed"
"""What a kept request carries what is kept of it under."""
_SPARE_BYTES: Final = 200
"""Of a note, for what is around its content."""

_followers: Final[WeakSet[Follower]] = WeakSet()


class _Kept:
    """A request that is kept. ``written`` says that it has been, as far as it was known."""

    __slots__ = ("content", "raised", "slot", "written")

    def __init__(self, content: Account, raised: list[Raised], slot: str | None) -> None:
        self.content = content
        self.raised = raised
        self.slot = slot
        self.written = False


class Follower(Observer):
    """Keeps requests that are worth looking at as notes, and writes all of them into ``log``, if there is one.

    What is kept can be read a second later, from any worker. ``details`` are asked what they know of a kept request.
    """

    left_carrying = _CARRIED

    def __init__(self, recorder: Recorder, details: Sequence[Details] = (), log: RequestLog | None = None) -> None:
        self._recorder = recorder
        self._details = details
        self._log = log
        self._most = _MOST_LOGGED if log else _MOST_KEPT
        self._choices: dict[str, Choice] = {}
        self.ended_above = self._choices if log is None else None
        self._pending: deque[_Kept] = deque()
        self._dropped = 0
        recorder.every(WRITTEN_EVERY, "followed requests", self.write)
        _followers.add(self)

    def ended(self, exchange: Exchange, status: int, seconds: float, exception: BaseException | None) -> None:
        route = exchange.route or ""
        choice = self._choices.get(route) or self._add(route)
        slot = choice.slot(exchange.started + seconds, seconds, exchange.error)
        if slot is not None or self._log is not None:
            self._keep(slot, exchange, status, seconds, exception)

    def _add(self, route: str) -> Choice:
        return self._choices.setdefault(route if len(self._choices) < _MOST_ROUTES else "", Choice())

    def _keep(
        self, slot: str | None, exchange: Exchange, status: int, seconds: float, exception: BaseException | None
    ) -> None:
        if len(self._pending) >= self._most:
            self._dropped += 1
            return
        content = account(exchange, status, seconds)
        if slot is not None:
            content["kept_as"] = slot.partition(" ")[0]
            slot = f"{exchange.route} {slot}"
        kept = _Kept(content, raised(exception), slot)
        if slot is not None and self._details:
            exchange.carried = exchange.carried or {}
            exchange.carried[_CARRIED] = kept
            self._add_details(exchange, content)
        self._pending.append(kept)

    def left(self, exchange: Exchange) -> None:
        kept = exchange.carried and exchange.carried.pop(_CARRIED)
        assert isinstance(kept, _Kept)
        self._add_details(exchange, kept.content)
        if kept.written:  # the app went on after the response
            self._pending.append(kept)

    def _add_details(self, exchange: Exchange, content: Account) -> None:
        for details in self._details:
            for name, value in details(exchange).items():
                content[name] = value or content.get(name, value)

    def write(self) -> None:
        """Write what has come since the last time. In the housekeeping thread."""
        lines = []
        for kept in self._taken():
            logged, kept.written = kept.written, True  # first, so that what is added from now on is written again
            content = {**kept.content, "exception": told(kept.raised)}
            if self._log is not None and not logged:
                lines.append(line(content))
            if kept.slot is not None:
                self._note(f"{os.getpid()} {kept.slot}", content)
        if self._log is not None:
            self._append(self._log, lines)

    def _taken(self) -> Iterator[_Kept]:
        with suppress(IndexError):  # when the process ends, the thread that ends it takes some too
            for _ in range(len(self._pending)):
                yield self._pending.popleft()

    def _note(self, key: str, content: Account) -> None:
        room = REQUESTS.most_bytes - len(key) - _SPARE_BYTES
        self._recorder.note(REQUESTS, key, fitting(content, room))

    def _append(self, log: RequestLog, lines: list[bytes]) -> None:
        dropped, self._dropped = self._dropped, 0
        try:
            if lines:
                log.append(b"".join(lines))
        except OSError as error:
            self._recorder.failed("request log", error)
            dropped += len(lines)
        if dropped:
            self._recorder.counter(DROPPED_LINES).add(dropped)

    def after_fork(self) -> None:
        """In the child: what was kept is the parent's to write."""
        self._pending.clear()
        self._choices.clear()


def follower_for(recorder: Recorder, log: str | None, details: Sequence[Details] = ()) -> Follower:
    """The service's follower, made if need be: apps that record into one service share it. ``log`` is a path."""
    return recorder.companion(Follower, lambda: Follower(recorder, details, RequestLog(log) if log else None))


@atexit.register
def _write_what_is_left() -> None:
    for follower in list(_followers):
        follower.write()


def _after_fork_in_child() -> None:
    for follower in list(_followers):
        follower.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
