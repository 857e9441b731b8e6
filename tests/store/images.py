"""Segments in memory, as contents that can be merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from stethoscope.names import Kind, Merge, Metric
from stethoscope.store import layout
from stethoscope.store.buckets import CELLS_PER_BLOCK, buckets_for
from stethoscope.store.distribution import Distribution
from stethoscope.store.merge import Merger, Part
from stethoscope.store.reader import read_image
from stethoscope.store.segment import private_segment
from stethoscope.store.snapshot import Family

COUNTER: Final = Metric("counter", Kind.COUNTER, "", ("label",))
HISTOGRAM: Final = Metric("histogram", Kind.HISTOGRAM, "", ("label",), "seconds", (0.01, 0.1, 1.0))
GAUGES: Final = {mode: Metric(f"gauge_{mode}", Kind.GAUGE, "", ("label",), merge=mode) for mode in Merge}

Recorded = Mapping[tuple[Metric, str], "float | tuple[float, float] | Mapping[int, int]"]
"""By metric and label: a counter's value, a gauge's value and stamp, or a histogram's counts by cell."""


def part(recorded: Recorded, *, alive: bool = True, created: float = 1000.0) -> Part:
    """A segment in which this was recorded. A histogram's sum is the sum of its cells' numbers."""
    segment = private_segment()
    metrics: dict[str, int] = {}
    for ordinal, ((metric, label), value) in enumerate(recorded.items()):
        if metric.name not in metrics:
            metrics[metric.name] = len(metrics)
            segment.append_metric(metric)
        word = segment.append_series(metrics[metric.name], layout.labels_to_bytes((label,)), created, overflow=False)
        if isinstance(value, Mapping):
            segment.words[word] = float(sum(cell * count for cell, count in value.items()))
            for block, counts in blocks_of(value).items():
                segment.append_counts(ordinal, block, counts)
            below = 0
            for bucket, count in enumerate(buckets_for(metric).explicit_counts(value), word + layout.SCALAR_WORDS):
                segment.longs[bucket], below = count - below, count
        elif isinstance(value, tuple):
            segment.words[word], segment.words[word + 1] = value
        else:
            segment.words[word] = value
    return Part(read_image(segment.image()), alive)


def blocks_of(cells: Mapping[int, int]) -> dict[int, list[int]]:
    blocks: dict[int, list[int]] = {}
    for cell, count in cells.items():
        blocks.setdefault(cell // CELLS_PER_BLOCK, [0] * CELLS_PER_BLOCK)[cell % CELLS_PER_BLOCK] = count
    return blocks


def merged(parts: Iterable[Part]) -> dict[tuple[str, str], float | tuple[float, dict[int, int]]]:
    return plain(Merger().merge(list(parts))[0])


def plain(families: Mapping[str, Family]) -> dict[tuple[str, str], float | tuple[float, dict[int, int]]]:
    """By metric and label: a value, or a histogram's sum and counts by cell."""
    found: dict[tuple[str, str], float | tuple[float, dict[int, int]]] = {}
    for name, family in families.items():
        for series in family.series:
            key = (name, "overflow" if series.overflow else f"{series.labels[0]}{series.pid or ''}")
            value = series.value
            found[key] = (value.sum, dict(value.cells)) if isinstance(value, Distribution) else value
    return found
