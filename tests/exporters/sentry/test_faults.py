"""Sentry in trouble: the app does not notice, losses are counted and told once, and the process ends in time."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from tests.receivers.sentry import dsn, sentry
from tests.receivers.troubles import TROUBLES, ends_in_time, lost, slowdown
from tests.scrape import TOKEN
from tests.servers import serve

APP = "tests.exporters.sentry.apps:plain"
REQUESTS = 50
_ALL = 3 * REQUESTS
_QUEUE = 100
"""Of the SDK."""

LOST = {
    "down": {"network": _ALL},
    "hanging": {"full_queue": _ALL - _QUEUE - 1},  # one is under way
    "429": {"status_429": 1, "self_rate_limits": _ALL - 1},
    "500": {"status_500": _ALL},
    "half an answer": {"network": _ALL},
}


def fail(client: httpx.Client) -> None:
    """Which makes an event."""
    assert client.get("/fail").status_code == 500


@pytest.mark.parametrize("trouble", TROUBLES)
def test_app_is_as_fast_losses_are_counted_and_told_once_and_it_ends_in_time(trouble: str, tmp_path: Path) -> None:
    def variables(dsn: str, folder: str) -> dict[str, str]:
        return {"SENTRY_DSN": dsn, "STETHOSCOPE_TOKEN": TOKEN, "STETHOSCOPE_DIR": str(tmp_path / folder)}

    with sentry() as healthy, TROUBLES[trouble]() as port:
        with (
            serve("uvicorn", APP, env=variables(healthy.dsn, "well"), options=["--factory"]) as well,
            serve("uvicorn", APP, env=variables(dsn(port), "ill"), options=["--factory"]) as ill,
        ):
            assert slowdown(ill, well, fail, REQUESTS) < 2
            expected = LOST[trouble]
            assert lost(ill, "sentry", sum(expected.values())) == expected
            assert len(healthy.errors(_ALL)) == _ALL
            assert lost(well, "sentry") == {}
            assert len(re.findall("events for Sentry are lost", ill.log())) == 1
            assert ends_in_time(ill)
