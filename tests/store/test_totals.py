"""Totals: what goes in comes out again, and a cap on series leaves sums as they are."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from stethoscope.names import Kind, Merge, Metric
from stethoscope.store.buckets import buckets_for
from stethoscope.store.distribution import Distribution
from stethoscope.store.merge import Merger, Part
from stethoscope.store.reader import read_image
from stethoscope.store.snapshot import Family, Series
from stethoscope.store.totals import capped, folded_image, image_of
from tests.store.images import COUNTER, GAUGES, HISTOGRAM, Recorded, merged, part, plain

CELLS = buckets_for(HISTOGRAM).cell_count
SURVIVING = [mode for mode in Merge if mode in (Merge.SUM, Merge.MIN, Merge.MAX, Merge.MOSTRECENT)]
texts = st.text(max_size=8)
recorded = st.dictionaries(
    st.tuples(st.just(COUNTER), texts) | st.tuples(st.just(HISTOGRAM), texts),
    st.just(0.0),
    max_size=6,
).flatmap(
    lambda keys: st.fixed_dictionaries(
        {
            key: st.dictionaries(st.integers(0, CELLS - 1), st.integers(1, 2**61), max_size=4)
            if key[0] is HISTOGRAM
            else st.floats(0, 1e15)
            for key in keys
        }
    )
)


@given(recorded=recorded, identities=st.lists(st.binary(min_size=16, max_size=16), max_size=3))
def test_totals_are_read_back_as_they_were_written(recorded: Recorded, identities: list[bytes]) -> None:
    """Encode, decode: identity, with counts of up to 61 bits and any text in labels."""
    families, _ = Merger().merge([part(recorded)])
    contents = read_image(image_of(families, identities, 1000))
    again, conflicts = Merger().merge([Part(contents, alive=False)])
    assert plain(again) == plain(families)
    assert {name: family.metric for name, family in again.items()} == {
        name: family.metric for name, family in families.items()
    }
    assert contents.index.folded == set(identities)
    assert (conflicts, contents.index.damaged) == (0, False)


def test_gauges_of_the_living_are_not_kept_and_others_are_with_their_time() -> None:
    """B4."""
    families, _ = Merger().merge([part({(metric, "x"): (3.0, 50.0) for metric in GAUGES.values()})])
    again, _ = Merger().merge([Part(read_image(image_of(families, [], 1000)), alive=False)])
    assert sorted(again) == sorted(f"gauge_{mode}" for mode in SURVIVING)
    assert {series.stamp for family in again.values() for series in family.series} == {50.0}


def histogram(label: str, count: int, created: float, *, overflow: bool = False) -> Series:
    value = Merger().merge([part({(HISTOGRAM, label): {9: count}})])[0]["histogram"].series[0].value
    return Series(("",) if overflow else (label,), value, created, overflow)


def test_series_beyond_the_cap_are_added_to_the_overflow_series_the_youngest_first() -> None:
    """A14: totals stay exact."""
    series = [histogram(f"s{number}", 10 + number, created=1000.0 - number) for number in range(10)]
    family = Family(HISTOGRAM, (*series, histogram("", 1000, 0.0, overflow=True)))
    kept = list(capped(family, 4))
    assert [one.labels[0] for one in kept if not one.overflow] == ["s9", "s8", "s7", "s6"]
    (overflow,) = [one.value for one in kept if one.overflow]
    assert isinstance(overflow, Distribution)
    assert (overflow.count, overflow.sum) == (1000 + sum(range(10, 16)), 9 * (1000 + sum(range(10, 16))))


@settings(max_examples=30)
@given(batches=st.lists(st.lists(st.integers(0, 40), max_size=30), max_size=5), cap=st.integers(1, 10))
def test_a_cap_never_changes_a_sum_however_often_it_is_applied(batches: list[list[int]], cap: int) -> None:
    """A14: fold after fold, as attackers invent label values."""
    total, image = 0, image_of({}, [], cap)
    for batch in batches:
        total += len(batch)
        new = {(COUNTER, str(number)): float(batch.count(number)) for number in batch}
        families, _ = Merger().merge([Part(read_image(image), alive=False), part(new)])
        image = image_of(families, [], cap)
        found = merged([Part(read_image(image), alive=False)])
        assert sum(value for value in found.values() if isinstance(value, float)) == total
        assert len(found) <= cap + 1


def test_a_series_that_a_living_worker_has_is_kept_beyond_the_cap() -> None:
    """A14, B5: in the overflow series, it would go back to what the living have counted."""
    dead = part({(COUNTER, label): 10.0 for label in "abcd"}, alive=False)
    living = part({(COUNTER, "c"): 1.0, (HISTOGRAM, "d"): {5: 1}})
    totals = Part(read_image(folded_image([dead], [], 1, [living.contents])), alive=False)
    assert merged([totals]) == {("counter", "a"): 10.0, ("counter", "c"): 10.0, ("counter", "overflow"): 20.0}
    later = Part(read_image(folded_image([totals], [], 1)), alive=False)
    assert merged([later]) == {("counter", "a"): 10.0, ("counter", "overflow"): 30.0}


def test_totals_at_their_cap_that_all_living_workers_have_gain_no_overflow_series() -> None:
    """A14."""
    dead, living = (part({(COUNTER, label): 10.0 for label in "ab"}, alive=alive) for alive in (False, True))
    totals = Part(read_image(folded_image([dead], [], 1, [living.contents])), alive=False)
    assert merged([totals]) == {("counter", "a"): 10.0, ("counter", "b"): 10.0}


def test_a_family_within_its_cap_is_left_alone() -> None:
    family = Family(Metric("m", Kind.COUNTER, ""), (Series((), 1.0, 0.0),))
    assert capped(family, 1) is family.series


@given(
    first=st.lists(st.integers(0, 10**9), min_size=2, max_size=8),
    then=st.lists(st.integers(0, 10**9), max_size=8),
    divisor=st.sampled_from([7, 10, 997]),
)
def test_no_sum_becomes_less_when_its_writers_end(first: list[int], then: list[int], divisor: int) -> None:
    """B6: by one bit less, and Prometheus counts all of it as new. Totals of some are folded with those that end later."""

    def parts_of(numbers: list[int], created: float) -> list[Part]:
        return [part({(COUNTER, "x"): one / divisor}, created=created + number) for number, one in enumerate(numbers)]

    exact = sum(Fraction(one / divisor) for one in (*first, *then))
    before = float(exact)
    old, young = parts_of(first, 1000.0), parts_of(then, 2000.0)
    assert merged([*old, *young]) == {("counter", "x"): before}
    while old:
        totals = Part(read_image(folded_image(old, [], 1000)), alive=False)
        old, young = [totals, *young[:1]] if young else [], young[1:]
        now = merged([*old, *young] or [totals])[("counter", "x")]
        assert isinstance(now, float)
        assert before <= now <= before * (1 + 1e-14)
        before = now
