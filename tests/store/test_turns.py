"""Work in a thread lets others run, but gives up its place no more often than that needs."""

from __future__ import annotations

import time

import pytest

from stethoscope.store import turns
from stethoscope.store.turns import TURN, let_others_run


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr("stethoscope.store.turns.time.sleep", found.append)
    return found


def test_others_run_once_in_a_turn_however_often_they_are_let(slept: list[float]) -> None:
    let_others_run()
    slept.clear()
    began = time.thread_time()
    while (worked := time.thread_time() - began) < 20 * TURN:
        let_others_run()
    assert 1 <= len(slept) <= worked / TURN + 1


def test_a_forked_child_whose_processor_time_begins_anew_lets_others_run(
    slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "_worked", type("Worked", (), {"until": time.thread_time() + 3600.0}))
    let_others_run()
    assert slept == [0]
