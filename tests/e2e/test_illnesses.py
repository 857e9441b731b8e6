"""The illnesses of the example, and their cures, under a real server and a real PostgreSQL: found are exactly the illnesses."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stethoscope.cli import main
from stethoscope.names.findings import Illness
from tests.postgresql import Cluster
from tests.servers import ROOT, Server, serve

EXPECTED = {
    *((str(illness), f"/ill/{illness.replace('_', '-')}") for illness in set(Illness) - {Illness.POOL_EXHAUSTED}),
    ("pool_exhausted", ""),  # of a pool, whichever routes wait for it
}
CURES = {
    "n_plus_one": "selectinload(Order.items)",
    "unused_eager_load": "Take .options(selectinload(Order.items)) out",
    "far_offset": "sqlakeyset",
    "sequential_scan": "CREATE INDEX",
    "pool_exhausted": "pool_size",
    "stale_connection": "pool_pre_ping=True",
    "blocking_query": "create_async_engine",
    "blocked_loop": "asyncio.to_thread",
}
LINES = {
    "unused_eager_load": "invoices_with_items",
    "far_offset": "page_by_number",
    "sequential_scan": "order_by_voucher",
    "blocking_query": "names_on_the_loop",
    "blocked_loop": "ask_the_carrier",
    "repeated_query": "customers_name",
    "held_transaction": "order_that_pays_inside_of_its_transaction",
    "stale_connection": "count_over_what_the_pool_has",
}
_SECONDS = 30.0
"""Until a plan that was asked for has been looked at."""


@pytest.fixture
def url(postgresql: Cluster) -> str:
    return postgresql.url("pg8000")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def ward(url: str, folder: Path) -> Iterator[Server]:
    env = {"SHOP_POSTGRESQL": url, "STETHOSCOPE_DIR": str(folder)}
    with serve("uvicorn", "tests.e2e.ill_shop:app", env=env) as server:
        yield server


def diagnosed(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    main(["diagnose", "--dir", str(folder), "--format", "json"])
    items: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["items"]
    return items


def test_found_are_exactly_the_illnesses(
    ward: Server, url: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    visits = subprocess.run(
        [sys.executable, "-m", "examples.shop.illnesses.traffic", ward.url],
        env={"SHOP_POSTGRESQL": url, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert visits.returncode == 0, visits.stderr + ward.log()
    until = time.monotonic() + _SECONDS
    found, pause = diagnosed(folder, capsys), threading.Event()
    while len(found) < len(EXPECTED) and time.monotonic() < until:
        pause.wait(0.1)
        found = diagnosed(folder, capsys)
    assert sorted((one["kind"], one["route"]) for one in found) == sorted(EXPECTED)
    said = {one["kind"]: one for one in found}
    for kind, words in CURES.items():
        assert words in said[kind]["cure"], kind
    for kind, function in LINES.items():
        assert said[kind]["evidence"]["site"].partition(" in ")[2].startswith(function), kind
    assert said["pool_exhausted"]["subject"] == "small"
