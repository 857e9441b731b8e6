"""A distribution as a Prometheus native histogram: sparse buckets whose bounds are powers of 2**(2**-schema).

What an exponential histogram of OpenTelemetry calls scale is called schema here, and a bucket's number counts from
its upper bound, so that it is one more (prometheus/client_model, ``metrics.proto``, "Histogram").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from stethoscope.store.buckets import SCALE
from stethoscope.store.distribution import Distribution

MOST_BUCKETS: Final = 320
"""Of one series. Beyond it neighbours become one, which halves the resolution: two octaves of ten that are in use
are kept at 0.55 %, ten at 1.1 %, forty at 4.4 %. A reader keeps, and pays for, each bucket that is not empty."""

ZERO_THRESHOLD: Final = 2.0**-128
"""Below it all is zero. Other clients have the same, and where it is not zero a reader sees a native histogram even
if nothing was counted yet."""


_COARSEST: Final = -4
"""Of what Prometheus knows. No range of ours fills more than seven such buckets."""


class Span(NamedTuple):
    """``length`` buckets without a gap, ``offset`` after the end of the span before; the first counts from bucket 0."""

    offset: int
    length: int


class Native(NamedTuple):
    """``deltas`` are the counts of all buckets of all spans, each less the one before."""

    schema: int
    zeros: int
    spans: tuple[Span, ...]
    deltas: tuple[int, ...]


def native(distribution: Distribution, most: int = MOST_BUCKETS) -> Native:
    """The finest native histogram of at most ``most`` buckets. Nothing is lost but resolution."""
    zeros, counts = distribution.buckets.exponential(distribution.cells)
    schema = SCALE
    while len(counts) > most and schema > _COARSEST:
        counts, schema = _halved(counts), schema - 1
    ordered = sorted(counts)
    return Native(schema, zeros, tuple(_spans(ordered)), tuple(_deltas([counts[index] for index in ordered])))


def _halved(counts: Mapping[int, int]) -> dict[int, int]:
    # A bucket and the one after it have one square root of bounds: 2k and 2k + 1 become k, also below zero.
    halved: dict[int, int] = {}
    for index, count in counts.items():
        halved[index >> 1] = halved.get(index >> 1, 0) + count
    return halved


def _spans(ordered: list[int]) -> Iterator[Span]:
    end, first = 0, 0
    for place, index in enumerate(ordered):
        last = place + 1 == len(ordered)
        if last or ordered[place + 1] != index + 1:
            start = ordered[first] + 1
            yield Span(start - end, place + 1 - first)
            end, first = index + 2, place + 1


def _deltas(counts: list[int]) -> Iterator[int]:
    before = 0
    for count in counts:
        yield count - before
        before = count
