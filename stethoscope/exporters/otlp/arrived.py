"""What has arrived at the receiver: the state from which differences count.

It is kept in the service's folder as well, so that whoever leads next goes on where the last one ended. A worker
killed between a push and its being noted makes the next one send that piece twice: the one case in which a
difference is not exact.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from stethoscope.store.folder import Folder
from stethoscope.store.layout import VERSION
from stethoscope.store.merge import Merger, Part
from stethoscope.store.reader import Damaged, read_image
from stethoscope.store.snapshot import Family, Snapshot
from stethoscope.store.totals import image_of

_NAME: Final = f"otlp.v{VERSION}.arrived"
_UNLIMITED: Final = 1 << 30


class Arrived:
    """Families as they were when they last arrived, and when that was. For one thread."""

    def __init__(self, folder: Folder | None) -> None:
        """Reads what an earlier leader has noted; nothing where there was none."""
        self._folder = folder
        self._families: dict[str, Family] = {}
        self._times: dict[str, float] = {}
        if folder is not None:
            with suppress(OSError, Damaged, ValueError, zlib.error):
                self._times, self._families = _read(folder)

    def since(self, family: Family) -> tuple[Family, float]:
        """What was recorded since the family last arrived, and the Unix time at which that was: 0.0 for never."""
        name = family.metric.name
        earlier = self._families.get(name)
        if earlier is None:
            return family, 0.0
        present = Snapshot("", 0.0, {name: family})
        difference = present.minus(Snapshot("", 0.0, {name: earlier}), 0.0)
        return difference.families[name], self._times.get(name, 0.0)

    def add(self, families: Mapping[str, Family], taken_at: float) -> None:
        """These have arrived."""
        self._families.update(families)
        self._times.update(dict.fromkeys(families, taken_at))

    def keep(self) -> None:
        """Write it down for whoever leads next. Raises OSError."""
        if self._folder is not None and self._folder.writable:
            times = json.dumps(self._times).encode()
            image = image_of(self._families, (), _UNLIMITED)
            self._folder.write(_NAME, times + b"\n" + zlib.compress(image, 1))


def _read(folder: Folder) -> tuple[dict[str, float], dict[str, Family]]:
    with open(folder.open(_NAME), "rb") as file:
        times = json.loads(file.readline())
        contents = read_image(zlib.decompress(file.read()))
    families, _ = Merger().merge([Part(contents, alive=False)])
    return {str(name): float(time) for name, time in times.items()}, dict(families)
