"""Recorders and gatherers on a folder of a test's own, and short ways to ask them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from stethoscope.names import Kind, Merge, Metric
from stethoscope.store.distribution import Distribution
from stethoscope.store.folder import SUFFIX, Folder
from stethoscope.store.gather import Gatherer
from stethoscope.store.recorder import SERIES_CAP, Recorder
from stethoscope.store.snapshot import Snapshot

REQUESTS: Final = Metric("requests", Kind.COUNTER, "Requests.", ("route",))
SECONDS: Final = Metric("seconds", Kind.HISTOGRAM, "Time.", ("route",), "seconds", (0.01, 0.1, 1.0))
ACTIVE: Final = Metric("active", Kind.GAUGE, "In flight.")
KEPT: Final = Metric("kept", Kind.GAUGE, "A gauge that outlives its worker.", merge=Merge.SUM)


def recorder_in(path: Path, cap: int = SERIES_CAP) -> Recorder:
    return Recorder("test", lambda: Folder(str(path)), cap)


def gatherer_in(path: Path, cap: int = SERIES_CAP) -> Gatherer:
    """Reads as a process does that records nothing itself."""
    return Gatherer("test", Folder(str(path)), lambda: (), cap)


def total(snapshot: Snapshot, metric: Metric) -> float:
    """The sum over all series of a counter or gauge, or the count of a histogram."""
    values = [series.value for series in snapshot.family(metric).series]
    return sum(value.count if isinstance(value, Distribution) else value for value in values)


def value(snapshot: Snapshot, metric: Metric, *labels: str) -> float:
    """A counter's or gauge's value, or a histogram's count; 0 where there is no such series."""
    for series in snapshot.family(metric).series:
        if series.labels == labels:
            return series.value.count if isinstance(series.value, Distribution) else series.value
    return 0.0


def segments(path: Path) -> list[str]:
    return sorted(name.name for name in path.iterdir() if name.name.endswith(SUFFIX))


def skipped(snapshot: Snapshot) -> dict[str, float]:
    """Files that were not read, by reason."""
    found = {series.labels[0]: series.value for series in snapshot.families["stethoscope_skipped_segments"].series}
    return {reason: count for reason, count in found.items() if isinstance(count, float) and count}


class _Dying(Recorder):
    """Records into private memory, and starts no thread."""

    def _hire_housekeeper(self) -> None:
        return


def image(routes: Mapping[str, int], active: float = 0.0, kept: float = 0.0) -> bytes:
    """A segment in which each route was counted so often, with as many observations of 50 ms."""
    recorder = _Dying("test", lambda: None)
    for route, count in routes.items():
        counter, histogram = recorder.counter(REQUESTS, (route,)), recorder.histogram(SECONDS, (route,))
        for _ in range(count):
            counter.add(1.0)
            histogram.record(0.05)
    recorder.gauge(ACTIVE).add(active)
    recorder.gauge(KEPT).add(kept)
    return recorder._here().segment.image()


def bury(path: Path, routes: Mapping[str, int], active: float = 0.0, kept: float = 0.0) -> None:
    """Leave the segment of a worker that has died."""
    Folder(str(path)).write(os.urandom(8).hex() + SUFFIX, image(routes, active, kept))
