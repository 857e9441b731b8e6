"""Lines that block event loops again and again, or for long, as findings."""

from __future__ import annotations

from collections import Counter, deque
from contextlib import suppress
from typing import Final, NamedTuple

from stethoscope import names
from stethoscope.instruments.runtime.stalls import STALL, Stall
from stethoscope.names.findings import Illness, Severity
from stethoscope.store.notes import Note
from stethoscope.store.recorder import Recorder
from stethoscope.thresholds import Level, Threshold

BLOCKED_FROM: Final = 3
"""Times that a line blocks in one worker, on one route: one may be a garbage collection, or a first request that imports."""
WITHIN: Final = 600.0
"""Seconds in which they come: in a long life each line that is busy is hit by some pause, now and then."""
LONG: Final = 1.0
"""Seconds of a block that is told of the first time."""
_MOST: Final = names.FINDINGS_FOUND.most // 2
_SEVERITIES: Final = {Level.WARN: Severity.WARNING, Level.CRITICAL: Severity.CRITICAL}


class _Spot(NamedTuple):
    route: str
    site: str


class _Seen:
    """What a line has done in this process. ``due`` are blocks that no finding tells of yet, ``latest`` says when the last ones were seen."""

    __slots__ = ("due", "is_found", "latest", "worst")

    def __init__(self) -> None:
        self.due: Counter[Severity] = Counter()
        self.is_found = False
        self.latest: deque[float] = deque(maxlen=BLOCKED_FROM)
        self.worst = 0.0

    def add(self, stall: Stall, severity: Severity) -> None:
        self.worst = max(self.worst, stall.late)
        if not stall.told_before:
            self.due[severity] += 1
            self.latest.append(stall.seen_at)
        often = len(self.latest) == BLOCKED_FROM and self.latest[-1] - self.latest[0] <= WITHIN
        self.is_found = self.is_found or often or stall.late >= LONG


class BlockedLines:
    """Counts blocks by route and line, and reports a line that had enough of them. For one thread of one process.

    ``lag`` says how severe a block of a length is, and below what length it is none.
    """

    def __init__(self, recorder: Recorder, lag: Threshold) -> None:
        self._recorder = recorder
        self._lag = lag
        self._seen: dict[_Spot, _Seen] = {}

    def add(self, stall: Stall) -> None:
        """Of blocks that are known to have been long enough. Where no line is to blame, nothing is counted."""
        severity = _SEVERITIES.get(self._lag.level(stall.late))
        if severity is None or stall.late < STALL or stall.where is None:
            return
        request = stall.request
        spot = _Spot("" if request is None else request.route_by_now(), str(stall.where)[-128:])
        seen = self._seen_at(spot)
        seen.add(stall, severity)
        if seen.is_found:
            self._report(spot, seen, severity, stall)

    def _seen_at(self, spot: _Spot) -> _Seen:
        seen = self._seen.pop(spot, None) or _Seen()
        if len(self._seen) >= _MOST:
            self._seen.pop(next(iter(self._seen)))
        self._seen[spot] = seen
        return seen

    def _report(self, spot: _Spot, seen: _Seen, severity: Severity, stall: Stall) -> None:
        for each, times in seen.due.items():
            labels = (Illness.BLOCKED_LOOP, each, spot.route, spot.site)
            self._recorder.counter(names.FINDINGS, labels).add(float(times))
        seen.due.clear()
        self._note(spot, seen, severity, stall)

    def _note(self, spot: _Spot, seen: _Seen, severity: Severity, stall: Stall) -> None:
        """The newest note holds, whichever worker wrote it: so the longest that any of them noted goes on in it."""
        key = f"{Illness.BLOCKED_LOOP} {spot.route} {spot.site}"
        with suppress(OSError):
            known = (_worst(note) for note in self._recorder.notes(names.FINDINGS_FOUND) if note.key == key)
            seen.worst = max([seen.worst, *known])
        evidence: dict[str, object] = {
            "site": str(stall.where),
            "seconds": round(stall.late, 3),
            "worst_seconds": round(seen.worst, 3),
        }
        if stall.request is not None:
            evidence["request_id"] = stall.request.request_id
        content = {"kind": Illness.BLOCKED_LOOP, "severity": severity, "route": spot.route, "subject": spot.site}
        self._recorder.note(names.FINDINGS_FOUND, key, {**content, "evidence": evidence})


def _worst(note: Note) -> float:
    evidence = note.content.get("evidence")
    worst = evidence.get("worst_seconds") if isinstance(evidence, dict) else None
    return float(worst) if isinstance(worst, int | float) else 0.0
