"""Queries timed by name."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import stethoscope
from stethoscope import names
from stethoscope.current import CURRENT
from stethoscope.instruments import stopwatch
from stethoscope.instruments.database.comments import comment
from stethoscope.store.recorder import Recorder
from tests.instruments.reading import numbers, sum_of
from tests.middleware.scripted import Records, exchange_of, http_scope

DURATION = names.NAMED_QUERY_DURATION.name


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(stopwatch, "clock", lambda: now[0])
    return now


def test_blocks_and_functions_of_both_kinds_are_timed(own: Recorder, now: list[float]) -> None:
    @stethoscope.monitor_query("orders")
    def plain() -> None:
        now[0] += 0.01

    @stethoscope.monitor_query("orders")
    async def asynchronous() -> None:
        now[0] += 0.01

    plain()
    asyncio.run(asynchronous())
    with stethoscope.monitor_query("orders"):
        now[0] += 0.01
    with pytest.raises(KeyError), stethoscope.monitor_query("orders"):
        raise KeyError
    assert numbers(own, DURATION) == {("orders", ""): 3, ("orders", "KeyError"): 1}
    assert sum_of(own, DURATION, ("orders", "")) == pytest.approx(0.03)
    assert own.notes(names.QUERIES) == []


def test_what_takes_long_is_a_slow_query_of_this_name(own: Recorder, now: list[float]) -> None:
    with stethoscope.monitor_query("orders"):
        now[0] += 0.2
    assert numbers(own, names.SLOW_QUERY_DURATION.name) == {("", "orders", ""): 1}
    (note,) = own.notes(names.QUERIES)
    assert (note.content["text"], note.content["seconds"]) == ("orders", 0.2)
    assert "test_monitor.py:" in str(note.content["site"])


def test_slow_query_has_the_route_that_its_request_left_in_the_scope(
    own: Recorder, records: Records, now: list[float]
) -> None:
    token = CURRENT.set(exchange_of(records, http_scope(path_template="/orders/{id}")))
    try:
        with stethoscope.monitor_query("orders"):
            now[0] += 0.2
        assert comment().endswith(",route='%2Forders%2F%7Bid%7D'*/")
    finally:
        CURRENT.reset(token)
    assert numbers(own, names.SLOW_QUERY_DURATION.name) == {("", "orders", "/orders/{id}"): 1}
    (note,) = own.notes(names.QUERIES)
    assert note.content["route"] == "/orders/{id}"


@pytest.mark.parametrize(("name", "error"), [(7, TypeError), ("  ", ValueError)])
def test_name_must_be_a_text(name: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="takes the name of a query"):
        stethoscope.monitor_query(name)  # type: ignore[arg-type]
