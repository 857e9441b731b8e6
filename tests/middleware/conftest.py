from __future__ import annotations

from pathlib import Path

import pytest

from stethoscope.middleware import exchange
from tests.middleware.scripted import Clock, Records


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stands in for the clock that requests are timed with."""
    clock = Clock()
    monkeypatch.setattr(exchange, "clock", clock)
    return clock
