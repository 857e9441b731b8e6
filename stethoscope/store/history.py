"""Windows: what was recorded in the last minutes, by subtracting an older snapshot from the present one.

One worker of a service at a time (the holder of a lock) puts a snapshot aside every 15 seconds, as a
compressed file in the service's folder, and deletes those that no window needs any more. Counters
and buckets only grow, so the difference of two snapshots is exact. A window is as long as asked or
up to one step longer; a `Snapshot` says how long it really is.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from stethoscope.store.folder import Folder
from stethoscope.store.housekeeper import STEP
from stethoscope.store.layout import VERSION
from stethoscope.store.merge import Merger, Part
from stethoscope.store.reader import Damaged, read_image
from stethoscope.store.snapshot import Snapshot
from stethoscope.store.totals import image_of

LONGEST_WINDOW: Final = 900.0
_FINE_FOR: Final = 90.0
_COARSE_STEP: Final = 60.0
_NAME: Final = re.compile(rf"([0-9a-f]{{8}})-([0-9]{{1,15}})\.v{VERSION}\.history")
_UNLIMITED: Final = 1 << 30


def since_boot() -> float:
    """Seconds since the machine started, also while it slept: comparable between processes."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def boot_id() -> str:
    """Eight hexadecimal digits that change when the machine starts anew."""
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id", "rb") as file:
        return file.read(8).decode()  # a codec by name would be imported first, maybe at the instant of a fork
    return "0" * 8


class History:
    """Snapshots put aside in a service's folder. Safe in any thread and process."""

    def __init__(self, folder: Folder, clock: Callable[[], float] = since_boot) -> None:
        self._folder = folder
        self._clock = clock
        self._boot = boot_id()

    def due(self) -> bool:
        """Whether it is time to put the next snapshot aside."""
        return self._clock() - max(self._stamps(), default=-STEP) >= STEP * 0.9

    def put_aside(self, snapshot: Snapshot) -> None:
        """Keep this snapshot for windows to come. Raises OSError when it can not be written."""
        now = self._clock()
        image = zlib.compress(image_of(snapshot.families, (), _UNLIMITED), 1)
        self._folder.write(f"{self._boot}-{int(now * 1000)}.v{VERSION}.history", image)
        self._forget(now)

    def window(self, present: Snapshot, seconds: float) -> Snapshot:
        """What was recorded in the last ``seconds`` before ``present``, or since the oldest snapshot that is left."""
        now = self._clock()
        stamps = sorted(self._stamps())
        wanted = [stamp for stamp in stamps if stamp <= now - seconds]
        for stamp in [*reversed(wanted), *stamps[len(wanted) :]]:
            with suppress(OSError, Damaged, zlib.error):
                return present.minus(self._read(stamp, present), now - stamp)
        return present

    def _read(self, stamp: float, present: Snapshot) -> Snapshot:
        descriptor = self._folder.open(f"{self._boot}-{round(stamp * 1000)}.v{VERSION}.history")
        with open(descriptor, "rb") as file:
            contents = read_image(zlib.decompress(file.read()))
        families, _ = Merger().merge([Part(contents, alive=False)])
        return Snapshot(present.service, 0.0, families)

    def _stamps(self) -> Iterable[float]:
        now = self._clock()
        for name in self._folder.names():
            found = _NAME.fullmatch(name)
            # None is of the future, but where boots have no name one may be of an earlier boot.
            if found and found[1] == self._boot and int(found[2]) <= now * 1000:
                yield int(found[2]) / 1000

    def _forget(self, now: float) -> None:
        """Delete what no window needs: all of an earlier boot, and of the older ones all but one a minute."""
        kept: set[str] = {f"{self._boot}-{round(stamp * 1000)}" for stamp in needed(self._stamps(), now)}
        for name in self._folder.names():
            found = _NAME.fullmatch(name)
            if found and f"{found[1]}-{found[2]}" not in kept:
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
