"""Blocked event loops as findings, under a real server with two workers, as ``stethoscope diagnose`` reports them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from stethoscope.cli import main
from stethoscope.instruments.runtime.blocked import BLOCKED_FROM
from tests.instruments.apps.blocking import SECONDS
from tests.instruments.waiting import until
from tests.servers import serve


def diagnosed(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    status = main(["diagnose", "--dir", str(folder), "--format", "json"])
    items: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["items"]
    return status, items


def test_blocks_of_both_workers_are_one_finding_and_the_cured_route_has_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: Counter[str] = Counter()
    with serve(
        "uvicorn", "tests.instruments.apps.blocking:app", workers=2, env={"STETHOSCOPE_DIR": str(tmp_path)}
    ) as one:
        for _ in range(BLOCKED_FROM + 1):
            httpx.get(f"{one.url}/cured")
        assert diagnosed(tmp_path, capsys) == (0, [])

        def both() -> bool:
            asked[httpx.get(f"{one.url}/ill", headers={"connection": "close"}).text] += 1
            return len(asked) == 2 and min(asked.values()) >= BLOCKED_FROM

        until(both, "blocks of both workers", seconds=60)
        until(lambda: sum(one["occurrences"] for one in diagnosed(tmp_path, capsys)[1]) >= asked.total(), "all of them")
        status, (finding,) = diagnosed(tmp_path, capsys)
    assert status == 1
    assert (finding["kind"], finding["severity"], finding["route"]) == ("blocked_loop", "critical", "/ill")
    assert finding["occurrences"] == asked.total()
    assert finding["evidence"]["site"].endswith(" in wait")
    assert "asyncio.to_thread" in finding["cure"]
    assert SECONDS - 0.1 <= finding["evidence"]["worst_seconds"] <= SECONDS + 0.3
