"""Points: what happened in a step, in few numbers."""

from __future__ import annotations

import pytest

from stethoscope.names import REQUEST_DURATION
from stethoscope.store.snapshot import Family, Snapshot
from stethoscope.store.timeline import point
from tests.exporters.snapshots import histogram


def step(**by_labels: list[float]) -> Snapshot:
    series = tuple(histogram(REQUEST_DURATION, labels.split(" "), values) for labels, values in by_labels.items())
    return Snapshot("shop", 100.0, {REQUEST_DURATION.name: Family(REQUEST_DURATION, series)}, (1, 2), 10.0)


def test_a_point_has_rates_shares_and_quantiles_of_all_and_of_each_route() -> None:
    found = point(
        step(
            **{
                "GET /a 200 http ": [0.1] * 8,
                "GET /a 500 http ValueError": [0.3],
                "GET /b 200 http client_disconnect": [0.2],
            }
        )
    )
    assert (found["requests_per_second"], found["errors_per_second"], found["error_ratio"]) == (1.0, 0.1, 0.1)
    assert found["p50_seconds"] == pytest.approx(0.1, rel=0.01)
    assert found["workers"] == 2
    assert found["routes"].keys() == {"GET /a", "GET /b"}
    assert found["routes"]["GET /a"]["error_ratio"] == pytest.approx(1 / 9)
    assert found["routes"]["GET /b"] == {
        "requests_per_second": 0.1,
        "error_ratio": 0.0,
        "p95_seconds": pytest.approx(0.2, rel=0.01),
    }


def test_requests_that_are_not_counted_apart_have_a_name_too() -> None:
    """That of their endpoint: by it the page finds their points."""
    series = histogram(REQUEST_DURATION, [""] * 5, [0.1] * 5, overflow=True)
    found = point(Snapshot("shop", 100.0, {REQUEST_DURATION.name: Family(REQUEST_DURATION, (series,))}, (1,), 10.0))
    assert found["routes"].keys() == {" __overflow__"}


def test_nothing_recorded_is_a_point_of_zeros_without_quantiles() -> None:
    found = point(step())
    assert (found["requests_per_second"], found["p95_seconds"], found["routes"]) == (0.0, None, {})


def test_only_the_busiest_routes_are_kept() -> None:
    found = point(step(**{f"GET /{number} 200 http ": [0.1] * (1 + number % 3) for number in range(300)}))
    assert len(found["routes"]) == 200
    assert all(f"GET /{number}" in found["routes"] for number in range(2, 300, 3))
