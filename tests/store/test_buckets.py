"""The bucket scheme's guarantees, against exact answers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stethoscope.names import DURATION_BOUNDS, SIZE_BOUNDS
from stethoscope.store.buckets import SCALE, Buckets, buckets_of
from stethoscope.store.distribution import Distribution

PROMISED = 0.01
OBSERVATIONS = 20_000
QUANTILES = (0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0)

Values = np.ndarray[Any, np.dtype[Any]]
Draw = Callable[[np.random.Generator, int], Values]

DURATIONS: dict[str, Draw] = {
    "uniform": lambda r, n: r.uniform(1e-3, 1, n),
    "uniform over nine decades": lambda r, n: 10 ** r.uniform(-6, 3.5, n),
    "narrow": lambda r, n: r.uniform(0.0999, 0.1001, n),
    "constant": lambda r, n: np.full(n, 0.0123),
    "constant on a bound": lambda r, n: np.full(n, 0.25),
    "lognormal": lambda r, n: r.lognormal(-3, 1, n),
    "wide lognormal": lambda r, n: np.clip(r.lognormal(-4, 2.5, n), 1e-6, 3600),
    "bimodal": lambda r, n: np.where(r.random(n) < 0.9, r.normal(0.01, 1e-3, n), r.normal(2, 0.1, n)),
    "far apart": lambda r, n: np.where(r.random(n) < 0.5, 1e-5, 1e3),
    "trimodal": lambda r, n: r.choice([0.001, 0.05, 4.0], n) * r.uniform(0.9, 1.1, n),
    "Pareto": lambda r, n: np.minimum(0.001 * (1 + r.pareto(1.5, n)), 3600),
    "heavy Pareto": lambda r, n: np.minimum(0.001 * (1 + r.pareto(0.8, n)), 3600),
    "exponential": lambda r, n: r.exponential(0.05, n) + 1e-6,
    "gamma": lambda r, n: r.gamma(2, 0.01, n) + 1e-6,
    "Weibull": lambda r, n: r.weibull(0.7, n) * 0.05 + 1e-6,
    "beta": lambda r, n: r.beta(0.5, 0.5, n) + 1e-6,
    "triangular": lambda r, n: r.triangular(0.001, 0.002, 0.9, n),
    "half normal": lambda r, n: np.abs(r.normal(0, 0.1, n)) + 1e-6,
    "geometric steps": lambda r, n: 0.001 * 2.0 ** r.integers(0, 12, n),
    "on the explicit bounds": lambda r, n: r.choice(DURATION_BOUNDS, n),
    "with zeros": lambda r, n: np.where(r.random(n) < 0.3, 0.0, r.uniform(0.01, 0.02, n)),
    "one outlier": lambda r, n: np.append(np.full(n - 1, 0.01), 3000.0),
}


def cells_of(buckets: Buckets, values: Values) -> Counter[int]:
    return Counter(np.searchsorted(buckets.bounds, values, side="left").tolist())


@pytest.mark.parametrize("name", DURATIONS)
def test_number_above_a_value_is_that_above_one_at_most_one_percent_higher(name: str) -> None:
    values = DURATIONS[name](np.random.default_rng(2026), OBSERVATIONS)
    buckets = buckets_of(DURATION_BOUNDS, "seconds")
    seen = Distribution(buckets, cells_of(buckets, values), 0.0)
    for value in (0.0, 1e-6, 0.0123, 0.05, 0.25, 1.0, 3000.0):
        assert (values > value * (1 + PROMISED)).sum() <= seen.above(value) <= (values > value).sum()


@pytest.mark.parametrize("name", DURATIONS)
def test_any_quantile_of_durations_is_at_most_one_percent_off(name: str) -> None:
    """Against NumPy's exact quantiles, from the least to the greatest value."""
    values = DURATIONS[name](np.random.default_rng(2026), OBSERVATIONS)
    buckets = buckets_of(DURATION_BOUNDS, "seconds")
    cells = cells_of(buckets, values)
    for q, exact in zip(QUANTILES, np.quantile(values, QUANTILES), strict=True):
        assert Distribution(buckets, cells, 0.0).quantile(q) == pytest.approx(exact, rel=PROMISED, abs=0), (
            f"p{q * 100:g}"
        )


@pytest.mark.parametrize(("low", "high"), [(1, 1e3), (100, 1e7), (1, 1e12)])
def test_any_quantile_of_sizes_is_at_most_one_percent_off(low: float, high: float) -> None:
    rng = np.random.default_rng(2026)
    values = np.floor(np.exp(rng.uniform(np.log(low), np.log(high), OBSERVATIONS)))
    buckets = buckets_of(SIZE_BOUNDS, "bytes")
    for q, exact in zip(QUANTILES, np.quantile(values, QUANTILES), strict=True):
        assert Distribution(buckets, cells_of(buckets, values), 0.0).quantile(q) == pytest.approx(exact, rel=PROMISED)


in_range = st.floats(2.0**-20, 2.0**12)
any_value = st.floats(0, 1e300, allow_nan=False) | in_range | st.sampled_from(DURATION_BOUNDS)
bounds = st.lists(st.floats(1e-6, 4000), max_size=20, unique=True).map(lambda found: tuple(sorted(found)))


@given(value=in_range, explicit=bounds)
def test_the_value_that_answers_for_a_cell_is_close_to_every_value_in_it(
    value: float, explicit: tuple[float, ...]
) -> None:
    """The docstring's 0.55 %, with any explicit bounds cut in."""
    buckets = buckets_of(explicit, "seconds")
    assert abs(buckets.midpoint(buckets.cell(value)) - value) <= 0.0055 * value


@given(values=st.lists(any_value, max_size=50), explicit=bounds)
def test_explicit_counts_are_exact_with_values_on_bounds_included(
    values: list[float], explicit: tuple[float, ...]
) -> None:
    """OpenTelemetry metrics data model, "Histogram": upper bounds are inclusive."""
    values = values + list(explicit)
    buckets = buckets_of(explicit, "seconds")
    cells = Counter(map(buckets.cell, values))
    exact = tuple(sum(value <= bound for value in values) for bound in explicit)
    assert buckets.explicit_counts(cells) == (*exact, len(values))
    assert buckets.explicit_counts(dict(reversed(cells.items()))) == (*exact, len(values))


@given(values=st.lists(st.just(0.0) | in_range, max_size=50), explicit=bounds)
def test_the_exponential_histogram_is_that_of_the_mapping_formula(
    values: list[float], explicit: tuple[float, ...]
) -> None:
    """OpenTelemetry metrics data model, "ExponentialHistogram": ceil(log2(value) * 2**scale) - 1, upper-inclusive."""
    buckets = buckets_of(explicit, "seconds")
    zeros, counts = buckets.exponential(Counter(map(buckets.cell, values)))
    assert zeros == values.count(0.0)
    assert zeros + sum(counts.values()) == len(values)
    exact = [math.log2(value) * 2**SCALE for value in values if value]
    # Where a rounded logarithm decides, the formula is no oracle: the next test is for those.
    if all(abs(number - round(number)) > 1e-6 for number in exact):
        assert counts == Counter(math.ceil(number) - 1 for number in exact)


@given(values=st.lists(any_value, min_size=1, max_size=50))
def test_the_exponential_histogram_conserves_counts_also_out_of_range(values: list[float]) -> None:
    buckets = buckets_of(DURATION_BOUNDS, "seconds")
    zeros, counts = buckets.exponential(Counter(map(buckets.cell, values)))
    assert zeros + sum(counts.values()) == len(values)
    assert zeros == sum(value == 0 for value in values)


def test_powers_of_two_are_the_upper_ends_of_their_buckets() -> None:
    """The same section's "exact powers of two": 2**k belongs to the bucket that ends with it."""
    buckets = buckets_of((), "seconds")
    for exponent in range(-19, 13):
        _, counts = buckets.exponential({buckets.cell(2.0**exponent): 1})
        assert counts == {exponent * 2**SCALE - 1: 1}
        _, counts = buckets.exponential({buckets.cell(math.nextafter(2.0**exponent, math.inf)): 1})
        assert counts == {exponent * 2**SCALE: 1}


def test_the_quantile_of_nothing_is_not_a_number() -> None:
    assert math.isnan(Distribution(buckets_of(DURATION_BOUNDS, "seconds"), {}, 0.0).quantile(0.5))


@given(values=st.lists(any_value, min_size=1, max_size=30), quantiles=st.lists(st.floats(0, 1), min_size=2, max_size=5))
def test_quantiles_do_not_decrease_and_stay_within_what_was_recorded(
    values: list[float], quantiles: list[float]
) -> None:
    buckets = buckets_of(DURATION_BOUNDS, "seconds")
    cells = Counter(map(buckets.cell, values))
    answers = [Distribution(buckets, cells, 0.0).quantile(q) for q in sorted(quantiles)]
    assert all(a <= b * (1 + 1e-12) for a, b in zip(answers, accumulate(answers, max), strict=True))
    assert all(answer <= max(values) * 1.01 or answer <= 2.0**-20 for answer in answers)
