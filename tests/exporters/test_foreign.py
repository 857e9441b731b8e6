"""Another registry's page within ours."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from stethoscope.exporters.foreign import fit


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("mine", "Mine.", registry=registry).inc()
    Gauge("clash", "Ours too.\nA second line.", ["a"], registry=registry).labels("# TYPE mine\r# TYPE kept").set(1)
    Gauge("kept", "Kept.", ["a"], registry=registry).labels("\r# TYPE clash ").set(1)
    return registry


def in_openmetrics(registry: CollectorRegistry) -> bytes:
    page: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
    return page


def test_page_without_clashes_is_given_unchanged_but_for_its_end(registry: CollectorRegistry) -> None:
    text, ended = generate_latest(registry), in_openmetrics(registry)
    assert fit(text, ["other"]) == (text, ())
    assert fit(ended, ["other"]) == (ended.removesuffix(b"# EOF\n"), ())
    assert ended.endswith(b"# EOF\n")


def test_family_of_a_taken_name_is_left_out_whole(registry: CollectorRegistry) -> None:
    """B26: a family that comes twice makes readers refuse the page."""
    page, refused = fit(in_openmetrics(registry), ["clash", "unrelated"])
    assert refused == ("clash",)
    assert b"clash{" not in page
    assert b"Ours too" not in page
    assert page.startswith(b"# HELP mine Mine.\n# TYPE mine counter\nmine_total 1.0\n")
    assert page.endswith(b'# HELP kept Kept.\n# TYPE kept gauge\nkept{a="\r# TYPE clash "} 1.0\n')


@pytest.mark.parametrize("page", [b"", b"# EOF\n"])
def test_empty_page_stays_empty(page: bytes) -> None:
    assert fit(page, ["a"]) == (b"", ())


def test_page_without_a_last_newline_gets_one() -> None:
    assert fit(b"a 1", []) == (b"a 1\n", ())


def test_last_family_can_be_left_out(registry: CollectorRegistry) -> None:
    """What follows our page must not run into its last line."""
    page, refused = fit(generate_latest(registry), ["kept"])
    assert refused == ("kept",)
    assert page.endswith(b"1.0\n")
