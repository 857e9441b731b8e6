"""Folding the dead: what ended workers have counted moves into the service's totals, exactly once.

One file holds the totals. Folding, under a lock that only folders take:

  1. write a new totals file: the old totals plus the dead segments, with the identities of those
     segments in a list;
  2. rename it over the old one;
  3. delete the dead segments.

The rename is the moment at which the counts move. Before it, readers add the dead segments as they
are. After it, they find the identities in the list and leave out any segment that is still there.
So a folder that dies at any step has lost nothing and doubled nothing; the next one finishes step 3,
and lists again whatever it found still there, in case that it cannot delete it either.
A reader compares the totals' identity before and after it has read the segments, and starts over if
it changed. No reader ever waits for a folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Final

from stethoscope.names import Kind
from stethoscope.store import layout
from stethoscope.store.folder import NO_ROOM, SUFFIX, Folder, FolderError, writer_holds
from stethoscope.store.lanes import upwards
from stethoscope.store.layout import VERSION, Role
from stethoscope.store.merge import LIVE_ONLY, BlockDistribution, Merger, Part
from stethoscope.store.reader import Contents, Damaged, SegmentReader, read_image
from stethoscope.store.segment import Segment, private_segment
from stethoscope.store.snapshot import Family, Series

TOTALS: Final = f"totals.v{VERSION}"
_LOCK: Final = "fold"


def read_totals(folder: Folder) -> Contents | None:
    """The totals, or None while there are none. Raises `Damaged` and OSError."""
    try:
        descriptor = folder.open(TOTALS)
    except FileNotFoundError:
        return None
    try:
        return SegmentReader(descriptor).read()
    finally:
        os.close(descriptor)


def totals_identity(folder: Folder) -> bytes:
    """What changes whenever a fold has happened."""
    try:
        descriptor = folder.open(TOTALS)
    except OSError:
        return b""
    try:
        return os.pread(descriptor, layout.HEADER.size, 0)[16:32]
    finally:
        os.close(descriptor)


def fold(folder: Folder, cap: int, living: Sequence[Contents] | None = None, *, at_most: int | None = None) -> int:
    """Fold all dead segments, or ``at_most`` so many, unless somebody else is doing so. Returns how many were folded.

    ``living`` are segments of living writers, for those who have just read them: the totals follow what these define, and keep
    the series that these have.

    Raises OSError when the new totals cannot be written: then everything is as before.
    """
    with folder.exclusive(_LOCK) as mine:
        if not mine:
            return 0
        folder.remove_unfinished()
        totals = _totals_or_none(folder)
        found = _segments(folder, totals.index.folded if totals else set(), with_living=living is None)
        dead = dict(islice(found.dead.items(), at_most))
        if dead:
            parts = [Part(contents, alive=False) for contents in ([totals] if totals else []) + list(dead.values())]
            identities = [contents.identity for contents in dead.values()]
            image = folded_image(parts, identities + found.left_behind, cap, living or found.living)
            _write(folder, image, dead)
        for name in dead:
            folder.remove(name)
        return len(dead)


def _write(folder: Folder, image: bytes, dead: Mapping[str, Contents]) -> None:
    """Where the disk is full, the dead make room first: they have reserved more than they have used. Raises OSError."""
    try:
        folder.write(TOTALS, image)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        for name, contents in dead.items():
            folder.shorten(name, len(contents.data))
        folder.write(TOTALS, image)


def folded_image(parts: Iterable[Part], folded: Iterable[bytes], cap: int, living: Iterable[Contents] = ()) -> bytes:
    """The bytes of totals that take these parts' place. Sums are rounded upwards: those that readers see never become less."""
    living = sorted(living, key=lambda contents: contents.age_rank)
    definitions = {metric.name: metric for contents in living for metric in contents.index.metrics}
    families, _ = Merger(rounded=upwards, definitions=definitions).merge(list(parts))
    return image_of(families, folded, cap, living)


def _totals_or_none(folder: Folder) -> Contents | None:
    """None for totals that are not there, or lost. Raises OSError for those that cannot be read right now."""
    try:
        return read_totals(folder)
    except (Damaged, FolderError):
        return None


@dataclass(slots=True)
class _Segments:
    """What a folder finds."""

    dead: dict[str, Contents] = field(default_factory=dict)
    """Of writers that have died, by name."""
    left_behind: list[bytes] = field(default_factory=list)
    """Identities of dead segments that are in the totals already."""
    living: list[Contents] = field(default_factory=list)


def _segments(folder: Folder, folded: set[bytes], *, with_living: bool) -> _Segments:
    found = _Segments()
    for name in folder.names():
        if not name.endswith(SUFFIX):
            continue
        with suppress(FileNotFoundError, FolderError, Damaged):
            part = _read(folder, name, with_living=with_living)
            if part is None:
                continue
            if part.alive:
                found.living.append(part.contents)
            elif part.contents.identity in folded:
                found.left_behind.append(part.contents.identity)
                folder.remove(name)
            else:
                found.dead[name] = part.contents
    return found


def _read(folder: Folder, name: str, *, with_living: bool) -> Part | None:
    descriptor = folder.open(name)
    try:
        alive = writer_holds(descriptor)
        return None if alive and not with_living else Part(SegmentReader(descriptor).read(), alive)
    finally:
        os.close(descriptor)


def image_of(
    families: Mapping[str, Family], folded: Iterable[bytes], cap: int, living: Sequence[Contents] = ()
) -> bytes:
    """The bytes of a segment that holds these families, with at most ``cap`` series each, and those that the ``living`` have.

    Further series are added to the overflow series, so that totals stay exact. Gauges that
    only living workers have are left out.
    """
    segment = private_segment(Role.TOTALS)
    for identity in folded:
        segment.append_folded(identity)
    ordinal = 0
    kept = [
        family
        for family in families.values()
        if not (family.metric.kind is Kind.GAUGE and family.metric.merge in LIVE_ONLY)
    ]
    for number, family in enumerate(kept):
        segment.append_metric(family.metric)
        for series in capped(family, cap, living):
            _append_series(segment, number, ordinal, series)
            ordinal += 1
    return segment.image()


def capped(family: Family, cap: int, living: Iterable[Contents] = ()) -> Iterable[Series]:
    """The family's series with those beyond the cap, the youngest, merged into the overflow series.

    None of those that the ``living`` have: readers would see it go back to what these have counted.
    """
    plain = sorted((series for series in family.series if not series.overflow), key=lambda series: series.created)
    if len(plain) <= cap:
        return family.series
    used = _labels_of(family, living)
    surplus = [series for series in plain[cap:] if series.labels not in used]
    kept = [*plain[:cap], *(series for series in plain[cap:] if series.labels in used)]
    overflow = [series for series in family.series if series.overflow]
    return [*kept, *(_merged([*surplus, *overflow], family) if surplus else overflow)]


def _labels_of(family: Family, living: Iterable[Contents]) -> set[tuple[str, ...]]:
    name = family.metric.name
    entries = chain.from_iterable(contents.index.series for contents in living)
    return {entry.key.labels for entry in entries if entry.key.metric.name == name and not entry.key.overflow}


def _merged(surplus: list[Series], family: Family) -> Iterable[Series]:
    # As overflow series they have one key, so that the merger adds them up.
    image = private_segment(Role.TOTALS)
    image.append_metric(family.metric)
    for ordinal, series in enumerate(surplus):
        _append_series(
            image, 0, ordinal, Series(("",) * len(series.labels), series.value, series.created, True, 0, series.stamp)
        )
    families, _ = Merger(rounded=upwards).merge([Part(read_image(image.image()), alive=False)])
    return families[family.metric.name].series


def _append_series(segment: Segment, metric: int, ordinal: int, series: Series) -> None:
    word = segment.append_series(metric, layout.labels_to_bytes(series.labels), series.created, series.overflow)
    value = series.value
    if isinstance(value, BlockDistribution):
        segment.words[word] = value.sum
        below = 0
        for bucket, count in enumerate(value.cumulative, word + layout.SCALAR_WORDS):
            segment.longs[bucket], below = count - below, count
        for block, counts in value.blocks().items():
            segment.append_counts(ordinal, block, counts)
    elif isinstance(value, float):
        segment.words[word], segment.words[word + 1] = value, series.stamp
