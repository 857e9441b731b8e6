"""Exemplars: for each bucket of a histogram's series one observation, with the trace that shows what it was.

They are notes (`stethoscope.store.notes`), not numbers in the segment: the newest of a bucket holds, whichever
worker wrote it. A process writes at most one per second for each bucket, so a sampled request mostly costs no more than a
look into a dictionary.
"""

from __future__ import annotations

import json
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from stethoscope.names import EXEMPLARS, Metric, NoteKind
from stethoscope.store.snapshot import Exemplar, Family, Series, Snapshot

if TYPE_CHECKING:
    from stethoscope.store.notes import Note
    from stethoscope.store.recorder import Recorder

_PAUSE: Final = 1.0
_MOST: Final = 4096
_LONGEST_KEY: Final = 380
"""What leaves room in a note for IDs and value. Longer ones come from routes that nobody writes."""


class Exemplars:
    """Keeps exemplars of one process. Any thread."""

    def __init__(self, recorder: Recorder, clock: Callable[[], float] = time.monotonic) -> None:
        self._recorder = recorder
        self._clock = clock
        self._written: dict[tuple[str, tuple[str, ...], int], float] = {}

    def add(self, metric: Metric, labels: tuple[str, ...], value: float, trace_id: int, span_id: int) -> None:
        """One observation of a histogram, in base units, that was recorded with these labels."""
        bucket = bisect_left(metric.bounds, value)
        place, now = (metric.name, labels, bucket), self._clock()
        if now - self._written.get(place, -_PAUSE) < _PAUSE:
            return
        if len(self._written) >= _MOST:
            self._written.clear()
        self._written[place] = now
        key = json.dumps(place, separators=(",", ":"))
        if len(key) <= _LONGEST_KEY:
            content = {"trace_id": f"{trace_id:032x}", "span_id": f"{span_id:016x}", "value": value}
            self._recorder.note(EXEMPLARS, key, content)


class Noted(Protocol):
    """What has numbers and notes of a service."""

    def snapshot(self) -> Snapshot:
        """Of all workers."""

    def notes(self, kind: NoteKind) -> list[Note]:
        """Of all workers, of each key the newest."""


def with_exemplars(source: Noted) -> Snapshot:
    """A snapshot whose histograms have their exemplars. Takes milliseconds."""
    snapshot = source.snapshot()
    found: dict[str, dict[tuple[str, ...], dict[int, Exemplar]]] = {}
    for note in source.notes(EXEMPLARS):
        try:
            name, labels, bucket = json.loads(note.key)
            exemplar = _exemplar(note.content, note.written_at)
            found.setdefault(name, {}).setdefault(tuple(labels), {})[int(bucket)] = exemplar
        except (ValueError, TypeError, KeyError):  # of another version
            continue
    present = {name: exemplars for name, exemplars in found.items() if name in snapshot.families}
    families = {name: _family(snapshot.families[name], exemplars) for name, exemplars in present.items()}
    return replace(snapshot, families={**snapshot.families, **families}) if families else snapshot


def _exemplar(content: Mapping[str, object], written_at: float) -> Exemplar:
    value, trace_id, span_id = content["value"], content["trace_id"], content["span_id"]
    if not (isinstance(value, int | float) and isinstance(trace_id, str) and isinstance(span_id, str)):
        raise TypeError("an exemplar is a number and two IDs")
    return Exemplar(float(value), int(trace_id, 16), int(span_id, 16), written_at)


def _family(family: Family, exemplars: Mapping[tuple[str, ...], Mapping[int, Exemplar]]) -> Family:
    series: Iterable[Series] = (
        replace(one, exemplars=exemplars[one.labels]) if one.labels in exemplars and not one.overflow else one
        for one in family.series
    )
    return Family(family.metric, tuple(series))
