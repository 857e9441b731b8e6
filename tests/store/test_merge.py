"""Merging is a sum whose order does not matter, and each gauge has its own rule."""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import random
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stethoscope.names import Kind, Merge, Metric
from stethoscope.store.buckets import buckets_for
from stethoscope.store.distribution import Distribution
from stethoscope.store.layout import Role
from stethoscope.store.merge import Merger, Part, worker_rank
from stethoscope.store.reader import SegmentReader, read_image
from stethoscope.store.segment import private_segment
from stethoscope.store.totals import folded_image, image_of
from tests.store.images import COUNTER, GAUGES, HISTOGRAM, Recorded, merged, part, plain

CELLS = buckets_for(HISTOGRAM).cell_count
labels = st.sampled_from(["a", "b", "c"])
counts = st.integers(1, 50) | st.integers(2**24 - 2, 2**24 + 2) | st.integers(2**32 - 2, 2**40)
cells = st.dictionaries(st.integers(0, CELLS - 1), counts, max_size=6)
recorded = st.dictionaries(
    st.tuples(st.just(COUNTER), labels),
    st.integers(0, 2**50).map(float),
    max_size=3,
).flatmap(
    lambda counters: st.dictionaries(st.tuples(st.just(HISTOGRAM), labels), cells, max_size=3).map(
        lambda histograms: {**counters, **histograms}
    )
)


def expected(segments: list[Recorded]) -> dict[tuple[str, str], object]:
    """The plain way: add up number by number."""
    sums: dict[tuple[str, str], float] = {}
    cells: dict[tuple[str, str], dict[int, int]] = {}
    for segment in segments:
        for (metric, label), value in segment.items():
            key = (metric.name, label)
            if isinstance(value, float):
                sums[key] = sums.get(key, 0.0) + value
            elif isinstance(value, dict):
                sums[key] = sums.get(key, 0.0) + sum(cell * count for cell, count in value.items())
                known = cells.setdefault(key, {})
                for cell, count in value.items():
                    known[cell] = known.get(cell, 0) + count
    return {key: (value, cells[key]) if key in cells else value for key, value in sums.items()}


@settings(max_examples=60)
@given(segments=st.lists(recorded, max_size=6), data=st.data())
def test_merging_conserves_counts_in_any_order(segments: list[Recorded], data: st.DataObject) -> None:
    """Also counts that need the wide form, and those whose sum does."""
    parts = [part(segment) for segment in segments]
    assert merged(parts) == expected(segments)
    assert merged(data.draw(st.permutations(parts))) == expected(segments)
    assert merged(Part(one.contents, alive=False) for one in parts) == expected(segments), "the dead count as well"


@pytest.mark.parametrize("count", [2**24 - 1, 2**24, 2**32 - 1, 2**32, 2**33])
def test_many_segments_with_large_counts_do_not_carry_into_neighbours(count: int) -> None:
    """More additions than fit, just below and above where the wide way ends."""
    one = part({(HISTOGRAM, "a"): {100: count, 101: 1, 102: count}})
    found = merged([one] * 600)
    assert found["histogram", "a"] == (600 * (202 * count + 101), {100: 600 * count, 101: 600, 102: 600 * count})


def test_blocks_of_one_number_within_one_segment_add_up() -> None:
    """How a count of 2**32 goes on in a fresh block."""
    segment = private_segment()
    segment.append_metric(HISTOGRAM)
    segment.append_series(0, b'["a"]', 1000.0, overflow=False)
    for count in (2**32 - 1, 7, 2**40):
        segment.append_counts(0, 3, [count] + [1] * 63)
    found = merged([Part(read_image(segment.image()), alive=True)])["histogram", "a"]
    assert isinstance(found, tuple)
    assert found[1] == {192: 2**32 - 1 + 7 + 2**40} | {192 + lane: 3 for lane in range(1, 64)}


@settings(max_examples=60)
@given(segments=st.lists(st.dictionaries(st.integers(0, CELLS - 1), counts, max_size=6), min_size=1, max_size=4))
def test_explicit_buckets_of_blocks_are_those_of_cells(segments: list[dict[int, int]]) -> None:
    families, _ = Merger().merge([part({(HISTOGRAM, "a"): cells}) for cells in segments])
    (series,) = families["histogram"].series
    assert isinstance(series.value, Distribution)
    total: Counter[int] = Counter()
    for cells in segments:
        total.update(cells)
    assert series.value.cumulative == buckets_for(HISTOGRAM).explicit_counts(total)
    assert series.value.count == sum(total.values())


A, B, DEAD = (5.0, 100.0), (2.0, 300.0), (-9.0, 200.0)
"""Values and when they were set."""


@pytest.mark.parametrize(
    ("mode", "of_all", "of_the_dead"),
    [
        (Merge.SUM, -2.0, -9.0),
        (Merge.LIVESUM, 7.0, None),
        (Merge.MIN, -9.0, -9.0),
        (Merge.LIVEMIN, 2.0, None),
        (Merge.MAX, 5.0, -9.0),
        (Merge.LIVEMAX, 5.0, None),
        (Merge.MOSTRECENT, 2.0, -9.0),
        (Merge.LIVEMOSTRECENT, 2.0, None),
    ],
)
def test_a_gauge_of_several_workers_becomes_one_value(mode: Merge, of_all: float, of_the_dead: float | None) -> None:
    """B4: the dead take part where the mode says so, and never where it is of the living."""
    metric = GAUGES[mode]
    parts = [part({(metric, "x"): A}), part({(metric, "x"): DEAD}, alive=False), part({(metric, "x"): B})]
    for _ in range(6):
        random.shuffle(parts)
        assert merged(parts) == {(metric.name, "x"): of_all}
    dead_only = [one for one in parts if not one.alive]
    assert merged(dead_only) == ({} if of_the_dead is None else {(metric.name, "x"): of_the_dead})


@pytest.mark.parametrize(("mode", "value"), [(Merge.SUM, 7.0), (Merge.MIN, 2.0), (Merge.MAX, 5.0)])
def test_what_is_no_number_goes_with_the_worker_that_has_set_it(mode: Merge, value: float) -> None:
    metric = GAUGES[mode]
    parts = [part({(metric, "x"): A}), part({(metric, "x"): (math.nan, 200.0)}, alive=False), part({(metric, "x"): B})]
    for _ in range(6):
        random.shuffle(parts)
        assert merged(parts) == {(metric.name, "x"): value}
    assert math.isnan(float(merged([part({(metric, "x"): (math.nan, 200.0)})])[metric.name, "x"]))  # type: ignore[arg-type]


def test_what_was_set_while_the_clock_was_ahead_is_as_old_as_its_fold() -> None:
    metric, now = GAUGES[Merge.MOSTRECENT], time.time()
    ahead = part({(metric, "x"): (1.0, now + 3600)}, alive=False)
    totals = Part(read_image(folded_image([ahead], [], 10)), alive=False)
    assert merged([totals, part({(metric, "x"): (2.0, now - 60)})]) == {(metric.name, "x"): 1.0}
    assert merged([totals, part({(metric, "x"): (2.0, time.time())})]) == {(metric.name, "x"): 2.0}


@pytest.mark.parametrize("mode", [Merge.ALL, Merge.LIVEALL])
def test_a_gauge_that_is_not_merged_has_a_series_for_each_living_worker(mode: Merge) -> None:
    metric = GAUGES[mode]
    assert merged([part({(metric, "x"): A})]) == {(metric.name, f"x{os.getpid()}"): 5.0}
    assert merged([part({(metric, "x"): A}, alive=False)]) == {}


def written_by(one: Part, *, pid: int, identity: bytes, role: Role = Role.WORKER, alive: bool = True) -> Part:
    contents = dataclasses.replace(one.contents, pid=pid, identity=identity, role=role)
    return Part(contents, alive)


def test_workers_that_have_one_process_id_are_told_apart() -> None:
    """B4: containers that share a volume, in each of which the worker is process 1."""
    metric = GAUGES[Merge.LIVEALL]
    one, other, third = (part({(metric, "x"): (value, 50.0)}, created=0.0) for value in (1.0, 2.0, 3.0))
    deputy = written_by(one, pid=1, identity=b"\x00" * 16, role=Role.DEPUTY)
    first = written_by(other, pid=1, identity=b"\x3f\xa2" * 8)
    second = written_by(third, pid=1, identity=b"\xbc\x01" * 8)
    merger, expected = (
        Merger(),
        {(metric.name, "x1-0000"): 1.0, (metric.name, "x1"): 2.0, (metric.name, "x1-bc01"): 3.0},
    )
    assert plain(merger.merge([first])[0]) == {(metric.name, "x1"): 2.0}
    for parts in itertools.permutations([deputy, first, second]):
        assert merged(parts) == expected
        assert plain(merger.merge(parts)[0]) == expected
    ended = Part(first.contents, alive=False)
    assert plain(merger.merge([ended, second])[0]) == {(metric.name, "x1"): 3.0}, "by any reader, new or old"
    assert merged([ended, second]) == {(metric.name, "x1"): 3.0}
    ids: list[int | str] = ["2", 10, "1-bc01", 1]
    assert sorted(ids, key=worker_rank) == [1, "1-bc01", "2", 10]


def test_a_metric_that_two_segments_define_otherwise_is_counted_as_a_conflict_and_not_mixed() -> None:
    """B39: a rolling deploy in which a histogram's bounds changed."""
    changed = Metric("histogram", Kind.HISTOGRAM, "", ("label",), "seconds", (0.5,))
    reworded = Metric("counter", Kind.COUNTER, "another help text", ("label",))
    one = part({(HISTOGRAM, "a"): {5: 1}, (COUNTER, "a"): 1.0})
    other = part({(changed, "a"): {5: 10}, (changed, "b"): {5: 10}, (reworded, "a"): 2.0})
    for parts in ([one, other], [other, one]):
        families, conflicts = Merger().merge(parts)
        assert conflicts == 1
        assert families["histogram"].metric == changed, "the younger worker's definition holds"
        assert plain(families) == {
            ("histogram", "a"): (50, {5: 10}),
            ("histogram", "b"): (50, {5: 10}),
            ("counter", "a"): 3.0,
        }


OTHERWISE = Metric("histogram", Kind.HISTOGRAM, "", ("label",), "seconds", (0.5,))
definitions = st.lists(st.tuples(st.sampled_from([HISTOGRAM, OTHERWISE]), st.booleans()), min_size=1, max_size=4)


def started(metric: Metric, at: float, *, alive: bool = True) -> Part:
    """A worker that has counted once."""
    return Part(dataclasses.replace(part({(metric, "a"): {5: 1}}).contents, created=at), alive)


@given(scrapes=st.lists(st.tuples(definitions, st.booleans()), min_size=1, max_size=5), data=st.data())
def test_all_readers_agree_on_a_definition_however_long_they_have_been_reading(
    scrapes: list[tuple[list[tuple[Metric, bool]], bool]], data: st.DataObject
) -> None:
    """B39: during a rolling deploy, the answer depended on which worker was asked."""
    old, workers = Merger(), [started(metric, 1000.0 + place) for place, metric in enumerate((HISTOGRAM, OTHERWISE))]
    for number, (found, keep) in enumerate(scrapes):
        new = [started(metric, 1001.5 - number + place, alive=alive) for place, (metric, alive) in enumerate(found)]
        workers = data.draw(st.permutations([*(workers if keep else []), *new]))
        families, conflicts = old.merge(workers)
        fresh, conflicts_now = Merger().merge(workers)
        assert (plain(families), conflicts) == (plain(fresh), conflicts_now)
        assert families["histogram"].metric == fresh["histogram"].metric


def test_a_younger_worker_that_defines_a_metric_late_is_followed() -> None:
    """B39: it was there, and had not recorded that metric yet, when the reader first saw it."""
    old, young, merger = started(HISTOGRAM, 1000.0), private_segment(), Merger()
    reader = SegmentReader(-1)
    for known in (HISTOGRAM, OTHERWISE):
        contents = dataclasses.replace(reader.parse(young.image(), young.used), created=2000.0)
        assert merger.merge([old, Part(contents, alive=True)])[0]["histogram"].metric == known
        young.append_metric(OTHERWISE)
        young.append_series(0, b'["a"]', 2000.0, overflow=False)


def test_the_definition_of_a_living_worker_holds_against_that_of_a_younger_one_that_has_ended() -> None:
    """B39: a canary with other bounds that was taken back."""
    families, conflicts = Merger().merge([started(OTHERWISE, 2000.0, alive=False), started(HISTOGRAM, 1000.0)])
    assert (families["histogram"].metric, conflicts) == (HISTOGRAM, 1)


def test_totals_do_not_hold_on_to_a_definition_that_workers_have_given_up() -> None:
    """B39: they are written anew at each fold, but what is in them is old."""
    changed = Metric("histogram", Kind.HISTOGRAM, "", ("label",), "seconds", (0.5,))
    worker = part({(changed, "a"): {5: 10}})
    old, _ = Merger().merge([part({(HISTOGRAM, "a"): {5: 1}})])
    totals = Part(read_image(image_of(old, [], 1000)), alive=False)
    families, conflicts = Merger().merge([totals, worker])
    assert (families["histogram"].metric, conflicts) == (changed, 1)


def test_a_merger_that_has_seen_all_is_right_when_segments_grow_and_go() -> None:
    """Its tables are remembered between scrapes; numbers are not."""
    merger, one, other = Merger(), part({(HISTOGRAM, "a"): {5: 1}}), part({(HISTOGRAM, "b"): {700: 2}})
    assert plain(merger.merge([one])[0]) == {("histogram", "a"): (5, {5: 1})}
    assert plain(merger.merge([other, one])[0])["histogram", "b"] == (1400, {700: 2})
    assert plain(merger.merge([])[0]).get(("histogram", "a"), (0.0, {})) == (0.0, {})
    assert plain(merger.merge([one])[0])["histogram", "a"] == (5, {5: 1})


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
def test_the_first_creation_is_the_series_creation(times: list[float]) -> None:
    families, _ = Merger().merge([part({(COUNTER, "a"): 1.0}, created=time) for time in times])
    assert [series.created for series in families["counter"].series] == [min(times)]
