"""Windows: what was recorded in the last minutes, by subtracting an older snapshot from the present one.

One worker of a service at a time (the holder of a lock) puts a snapshot aside every 15 seconds, as a
compressed file in the service's folder, and deletes those that no window needs any more. Counters
and buckets only grow, so the difference of two snapshots is exact. A window is as long as asked or
up to one step longer; a `Snapshot` says how long it really is. What happened in each step is kept
for an hour as a small `Point`.

A reset is a snapshot too: the one that is subtracted from then on. It holds for all workers, until
the machine restarts.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from stethoscope.store.clock import since_boot
from stethoscope.store.folder import Folder
from stethoscope.store.housekeeper import STEP
from stethoscope.store.layout import VERSION
from stethoscope.store.merge import Merger, Part
from stethoscope.store.reader import Damaged, read_image
from stethoscope.store.snapshot import Snapshot
from stethoscope.store.timeline import Point, point
from stethoscope.store.totals import image_of

LONGEST_WINDOW: Final = 900.0
_FINE_FOR: Final = 90.0
_COARSE_STEP: Final = 60.0
_NAME: Final = re.compile(rf"([0-9a-f]{{8}})-([0-9]{{1,15}})\.v{VERSION}\.(history|point|reset)")
_UNLIMITED: Final = 1 << 30
TIMELINE: Final = 3600.0
"""Seconds for which points are kept."""
_REMEMBERED: Final = 4
"""Snapshots that stay decoded, so that asking for the same window again is quick."""


def boot_id() -> str:
    """Eight hexadecimal digits that change when the machine restarts."""
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id", "rb") as file:
        return file.read(8).decode()  # a codec by name would be imported first, maybe at the instant of a fork
    return "0" * 8


class History:
    """What is put aside in a service's folder. Safe in any thread and process."""

    def __init__(self, folder: Folder, clock: Callable[[], float] = since_boot) -> None:
        self._folder = folder
        self._clock = clock
        self._boot = boot_id()
        self._decoded: dict[tuple[str, float], Snapshot] = {}
        self._asked: set[tuple[str, float]] = set()

    def due(self) -> bool:
        """Whether it is time to put the next snapshot aside."""
        return self._clock() - max(self._stamps("history"), default=-STEP) >= STEP * 0.9

    def put_aside(self, snapshot: Snapshot) -> None:
        """Keep this snapshot for windows to come, and what happened since the last one, or since a reset after it.

        Raises OSError when it cannot be written.
        """
        now = self._clock()
        latest = max(((stamp, kind) for kind in ("history", "reset") for stamp in self._stamps(kind)), default=None)
        self._write("history", now, self._image(snapshot))
        if latest is not None:
            stamp, kind = latest
            with suppress(OSError, Damaged, zlib.error):
                step = snapshot.minus(self._read(kind, stamp, snapshot), now - stamp)
                self._write("point", now, zlib.compress(json.dumps(point(step)).encode(), 1))
        self._forget(now)

    def rest(self) -> None:
        """Let go of what is kept for the next question, if nobody has asked since the last time."""
        for unasked in self._decoded.keys() - self._asked:
            self._decoded.pop(unasked, None)
        self._asked.clear()

    def reset(self, present: Snapshot) -> None:
        """Let windows and points begin now. Raises OSError when that cannot be written."""
        before = list(self._stamps("reset"))
        self._write("reset", self._clock(), self._image(present))
        for stamp in before:
            self._folder.remove(self._name("reset", stamp))

    def window(self, present: Snapshot, seconds: float | None) -> Snapshot:
        """What was recorded in the last ``seconds`` before ``present``, or since the oldest snapshot that is left.

        None for the seconds is all since the last reset, if there was one.
        """
        now, reset = self._clock(), self._last_reset()
        stamps = sorted(("history", stamp) for stamp in self._stamps("history") if stamp > reset and seconds)
        if reset >= 0:
            stamps.insert(0, ("reset", reset))
        wanted = [(kind, stamp) for kind, stamp in stamps if seconds and stamp <= now - seconds]
        for kind, stamp in [*reversed(wanted), *stamps[len(wanted) :]]:
            with suppress(OSError, Damaged, zlib.error):
                return present.minus(self._read(kind, stamp, present), now - stamp)
        return present

    def points(self, seconds: float = TIMELINE) -> list[Point]:
        """What happened in each step of the last ``seconds``, oldest first, since the last reset."""
        earliest = max(self._clock() - seconds, self._last_reset())
        found = []
        for stamp in sorted(stamp for stamp in self._stamps("point") if stamp > earliest):
            with suppress(OSError, ValueError, zlib.error):
                found.append(json.loads(zlib.decompress(self._bytes("point", stamp))))
        return found

    def reaches_back(self) -> float:
        """Seconds since the first thing was put aside, of what is left: up to an hour, and 0 when there is nothing."""
        now = self._clock()
        return max((now - stamp for kind in ("history", "point") for stamp in self._stamps(kind)), default=0.0)

    def _last_reset(self) -> float:
        return max(self._stamps("reset"), default=-1.0)

    @staticmethod
    def _image(snapshot: Snapshot) -> bytes:
        return zlib.compress(image_of(snapshot.families, (), _UNLIMITED), 1)

    def _name(self, kind: str, stamp: float) -> str:
        return f"{self._boot}-{round(stamp * 1000)}.v{VERSION}.{kind}"

    def _write(self, kind: str, stamp: float, image: bytes) -> None:
        self._folder.write(self._name(kind, int(stamp * 1000) / 1000), image)

    def _bytes(self, kind: str, stamp: float) -> bytes:
        with open(self._folder.open(self._name(kind, stamp)), "rb") as file:
            return file.read()

    def _read(self, kind: str, stamp: float, present: Snapshot) -> Snapshot:
        known = self._decoded.get((kind, stamp))
        self._asked.add((kind, stamp))
        if known is None:
            contents = read_image(zlib.decompress(self._bytes(kind, stamp)))
            families, _ = Merger().merge([Part(contents, alive=False)])
            known = Snapshot(present.service, 0.0, families)
            while len(self._decoded) >= _REMEMBERED:
                self._decoded.pop(next(iter(self._decoded)), None)
            self._decoded[kind, stamp] = known
        return known

    def _stamps(self, kind: str) -> Iterable[float]:
        now = self._clock()
        for name in self._folder.names():
            found = _NAME.fullmatch(name)
            # None is of the future, but where boots have no name one may be of an earlier boot.
            if found and found[3] == kind and found[1] == self._boot and int(found[2]) <= now * 1000:
                yield int(found[2]) / 1000

    def _forget(self, now: float) -> None:
        """Delete what no window needs: all of an earlier boot, of the older snapshots all but one a minute, and points of another hour."""
        kept = {self._name("history", stamp) for stamp in needed(self._stamps("history"), now)}
        kept |= {self._name("point", stamp) for stamp in self._stamps("point") if now - stamp <= TIMELINE}
        kept |= {self._name("reset", stamp) for stamp in self._stamps("reset")}
        for name in self._folder.names():
            if _NAME.fullmatch(name) and name not in kept:
                self._folder.remove(name)


def needed(stamps: Iterable[float], now: float) -> list[float]:
    """The snapshots to keep: all of the last 90 s, the first of each minute before that, back to one that is 15 minutes old."""
    ordered = sorted(stamps)
    fine = [stamp for stamp in ordered if now - stamp <= _FINE_FOR]
    by_minute: dict[float, float] = {}
    for stamp in ordered[: len(ordered) - len(fine)]:
        by_minute.setdefault(stamp // _COARSE_STEP, stamp)
    coarse = list(by_minute.values())
    old = [stamp for stamp in coarse if now - stamp >= LONGEST_WINDOW]
    return old[-1:] + coarse[len(old) :] + fine
