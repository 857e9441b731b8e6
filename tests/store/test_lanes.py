"""What is compiled adds up and looks through counts as the plain way does."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stethoscope import hot
from stethoscope.store import lanes
from stethoscope.store.buckets import buckets_for
from stethoscope.store.distribution import Distribution, _Reckoned, together
from stethoscope.store.lanes import NOWHERE, BlockSums
from stethoscope.store.layout import BLOCK_BYTES
from stethoscope.store.merge import Merger
from tests.store.images import HISTOGRAM, part

BUCKETS = buckets_for(HISTOGRAM)
QS = (0.0, 0.25, 0.5, 0.95, 0.99, 1.0)
few = st.integers(1, 50)
large = st.sampled_from([2**31 - 50, 2**31 - 1, 2**31, 2**32 - 1, 2**40])
near = st.integers(60, 70) | st.integers(0, BUCKETS.cell_count - 1)
"""Cells of which some are the same, or in the same block."""
cells = st.dictionaries(near, few, max_size=8)
many = st.dictionaries(near, few | large, max_size=8)
Cells = Mapping[int, int]

pytestmark = pytest.mark.skipif(not hot.COMPILED, reason="there is nothing to compare")


def series(*parts: Cells) -> Distribution:
    """One series of as many workers."""
    families, _ = Merger().merge([part({(HISTOGRAM, "a"): one}) for one in parts])
    value = families["histogram"].series[0].value
    assert isinstance(value, Distribution)
    return value


def plainly_cumulative(distribution: Distribution) -> tuple[int, ...]:
    return distribution._cumulative() if isinstance(distribution, _Reckoned) else distribution.cumulative


def same(distribution: Distribution) -> None:
    assert distribution.quantiles(*QS) == pytest.approx(distribution._quantiles(QS), rel=1e-12, nan_ok=True)
    assert distribution.cumulative == plainly_cumulative(distribution)


@settings(max_examples=100)
@given(before=st.lists(cells, min_size=1, max_size=4), since=st.lists(cells, min_size=1, max_size=4))
def test_a_window_over_several_series_is_the_same(before: list[Cells], since: list[Cells]) -> None:
    """Series that were there before, and those that came later."""
    old = [series(one) for one in before]
    parts = [series(one, more).minus(then) for one, more, then in zip(before, since, old, strict=False)]
    parts += [series(more) for more in since[len(before) :]]
    for one in parts:
        same(one)
    same(together(BUCKETS, parts))
    expected = sum(sum(more.values()) for more in since[: len(parts)])
    assert together(BUCKETS, parts).count == expected


@settings(max_examples=60)
@given(now=st.lists(many, min_size=1, max_size=3), then=many)
def test_counts_that_are_large_or_negative_are_left_to_the_plain_way(now: list[Cells], then: Cells) -> None:
    """A state that has less than the one before it, as only a damaged file has, counts as nothing."""
    same(series(*now))
    same(series(*now).minus(series(then)))
    same(together(BUCKETS, [series(*now), series(then)]))


@settings(max_examples=60)
@given(
    blocks=st.lists(st.lists(st.none() | few | large, min_size=3, max_size=3), min_size=1, max_size=5),
    slots=st.integers(3, 5),
)
def test_blocks_add_up_to_the_same(blocks: list[list[int | None]], slots: int) -> None:
    parts = [placed(counts) for counts in blocks]
    sums = BlockSums(slots)
    for data, places in parts:
        sums.add(data, [*places, *[NOWHERE] * (slots - len(places))])
    found = lanes.sum_blocks(parts, slots)
    if found is None:
        assert max(sums.counts()) >= 2**31
    else:
        assert memoryview(found).cast("I").tolist() == list(sums.counts())


def placed(counts: list[int | None]) -> tuple[bytes, array[int]]:
    """Bytes with blocks whose every count is this (its lowest 32 bits), and their places."""
    data, places = b"01234567", array("q")
    for count in counts:
        places.append(NOWHERE if count is None else len(data))
        if count is not None:
            data += (count & 0xFFFFFFFF).to_bytes(4, "little") * 64
    return data, places


@given(
    values=st.lists(st.floats(0, 1e9) | st.just(inf), min_size=4, max_size=4),
    pairs=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=9),
)
def test_numbers_at_places_add_up_to_the_same(values: list[float], pairs: list[tuple[int, int]]) -> None:
    data = array("d", values).tobytes()
    places = array("q", [number for series, word in pairs for number in (series, 8 * word)])
    found, expected = array("d", [1.0, 0.0, 2.0, 0.0, 3.0, 0.0]), array("d", [1.0, 0.0, 2.0, 0.0, 3.0, 0.0])
    lanes.add_words(found, data, places, 1)
    lanes.add_words_plainly(expected, data, places)
    assert found == expected


@given(
    counts=st.lists(st.integers(0, 2**50), min_size=8, max_size=8),
    pairs=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6)), max_size=9),
)
def test_buckets_at_places_add_up_to_the_same(counts: list[int], pairs: list[tuple[int, int]]) -> None:
    data = array("Q", counts).tobytes()
    places = array("q", [number for series, word in pairs for number in (series, 8 * word)])
    found, expected = bytearray(3 * 16), bytearray(3 * 16)
    lanes.add_buckets(found, data, places, 2)
    lanes.add_buckets_plainly(expected, data, places, 2)
    assert found == expected


def test_places_that_are_not_there_are_an_error_and_no_crash() -> None:
    with pytest.raises(IndexError):
        lanes.add_words(array("d", [0.0, 0.0]), bytes(8), array("q", [1, 0]), 1)
    with pytest.raises(IndexError):
        lanes.add_buckets(bytearray(16), bytes(8), array("q", [0, 0]), 2)
    assert lanes.sum_blocks([(bytes(BLOCK_BYTES), array("q", [8]))], 1) is None
    assert lanes.quantiles([(bytes(BLOCK_BYTES), {200: 0})], [], (0.5,), BUCKETS.edges) is None
    assert lanes.quantiles([(bytes(BLOCK_BYTES), {0: 1})], [], (0.5,), BUCKETS.edges) is None
