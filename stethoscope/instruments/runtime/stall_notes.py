"""Stalls as notes: for each line that blocked, how often, how long, and the stack of the last time."""

from __future__ import annotations

import os
from typing import Final

from stethoscope import names
from stethoscope.frames import Place
from stethoscope.instruments.runtime.stalls import Stall
from stethoscope.store.recorder import Recorder

_MOST: Final = names.STALLS.most
_MOST_CHARACTERS: Final = 5_000
"""Of a stack, so that a note of it finds room."""
NOWHERE: Final = "(no Python code: the thread waited for a processor, or for another thread that held the interpreter)"


class _Tally:
    """How often a line has blocked in this process, and between what the longest time lies."""

    __slots__ = ("longest", "longest_at_most", "times")

    def __init__(self) -> None:
        self.times = 0
        self.longest = 0.0
        self.longest_at_most = 0.0


class StallNotes:
    """Counts stalls and keeps a note of each line that blocked. For one thread."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._process = 0
        self._tallies: dict[str, _Tally] = {}

    def add(self, stall: Stall) -> None:
        place = stall.where
        where = NOWHERE if place is None else str(place)
        tally = self._tally(where)
        if not stall.told_before:
            tally.times += 1
            self._recorder.counter(names.LOOP_STALLS, (stall.loop,)).add(1.0)
        tally.longest = max(tally.longest, stall.late)
        tally.longest_at_most = max(tally.longest_at_most, stall.at_most)
        self._recorder.note(names.STALLS, f"{self._process} {where}", _content(stall, where, tally))

    def _tally(self, where: str) -> _Tally:
        if self._process != os.getpid():
            self._process = os.getpid()
            self._tallies.clear()
        if len(self._tallies) >= _MOST and where not in self._tallies:
            self._tallies.pop(next(iter(self._tallies)))
        return self._tallies.setdefault(where, _Tally())


def _content(stall: Stall, where: str, tally: _Tally) -> dict[str, object]:
    place, request = stall.where, stall.request
    return {
        "where": where,
        "file": place.file if place else "",
        "line": place.line if place else 0,
        "function": place.function if place else "",
        "times": tally.times,
        "longest_seconds": round(tally.longest, 3),
        "longest_at_most_seconds": round(tally.longest_at_most, 3),
        "seconds_at_least": round(stall.late, 3),
        "seconds_at_most": round(stall.at_most, 3),
        "ongoing": stall.ongoing,
        "ended_at": round(stall.seen_at, 3),
        "looks": stall.looks,
        "looks_here": stall.looks_here,
        "event_loop": stall.loop,
        "thread": stall.thread,
        "worker": os.getpid(),
        "route": "" if request is None else request.route_by_now(),
        "request_id": None if request is None else request.request_id,
        "stack": _stack(stall.stack),
    }


def _stack(places: tuple[Place, ...]) -> list[dict[str, object]]:
    """The innermost first; those far out are left out where there are too many."""
    kept, left = [], _MOST_CHARACTERS
    for place in places:
        left -= len(place.file) + len(place.function) + 60
        if left < 0:
            break
        kept.append(place._asdict())
    return kept
