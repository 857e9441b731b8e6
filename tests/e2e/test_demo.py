"""The demo, run as a user runs it: its table is right, and Ctrl-C leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Line:
    """One route of the table; times in milliseconds."""

    sent: int
    counted: int
    rate: float
    errors: int
    left: int
    p50: float
    p95: float
    p99: float


def lines(output: str) -> dict[str, Line]:
    """The table's lines by "METHOD route"."""
    found = {}
    for text in output.splitlines():
        words = text.split()
        if len(words) == 10 and words[2].isdigit():
            # A customer who has no patience may be gone before the first request was even read.
            sent, counted, rate, errors, left, *quantiles = (word.replace("-", "0") for word in words[2:])
            figures = (int(sent), int(counted), float(rate), int(errors), int(left), *map(float, quantiles))
            found[f"{words[0]} {words[1]}"] = Line(*figures)  # type: ignore[arg-type]
    return found


@contextmanager
def demo(temporary: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The driver in a session of its own, with its temporary files in the given folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", "examples.shop.demo", *options],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
        for survivor in processes_using(temporary):
            os.kill(survivor, signal.SIGKILL)


def processes_using(temporary: Path) -> list[int]:
    """Every living process that was started with this folder for its temporary files."""
    marker = f"TMPDIR={temporary}".encode()
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marker in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
        except OSError:
            continue
    return found


def read_until(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    assert process.stdout is not None
    seen = ""
    for text in process.stdout:
        seen += text
        if match := re.search(pattern, seen):
            return match
    raise AssertionError(f"The demo ended without printing {pattern!r}:\n{seen}")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Line]:
    with demo(tmp_path_factory.mktemp("demo"), "--seconds", "6") as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "got no answer" not in output
    return lines(output)


def test_every_request_that_a_customer_sent_is_counted_under_its_route(table: dict[str, Line]) -> None:
    assert len(table) == 13
    assert {key: line.counted for key, line in table.items()} == {key: line.sent for key, line in table.items()}


def test_quantiles_show_where_the_time_goes(table: dict[str, Line]) -> None:
    report, order = table["GET /office/reports/{month}"], table["POST /orders/"]
    assert 396 <= report.p50 <= report.p95 <= report.p99
    assert order.p50 < 300, "the 300 ms of the background task are no part of the request"


def test_failures_and_customers_who_left_are_told_apart(table: dict[str, Line]) -> None:
    events, products = table["GET /orders/events"], table["GET /products/"]
    assert (events.left, events.errors) == (events.counted, 0)
    assert (products.left, products.errors) == (0, 0)
    assert table["POST /orders/{order_id}/payment"].errors > 0


def test_ctrl_c_prints_the_table_and_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        command = read_until(process, r"Bearer ([\w-]+)' (http://\S+)\n")
        metrics = httpx.get(command[2], headers={"Authorization": f"Bearer {command[1]}"})
        assert 'http_route="/"' in metrics.text
        assert httpx.get(command[2]).status_code == 401
        assert len(processes_using(tmp_path)) >= 4  # driver, server, two workers
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0, output
        assert lines(output)["GET /"].counted >= 1
        assert processes_using(tmp_path) == []
        assert list(tmp_path.iterdir()) == []


def test_a_server_that_cannot_start_is_reported_with_its_log(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with demo(tmp_path, "--port", str(taken.getsockname()[1])) as process:
            output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "The server ended with status" in output
    assert "Address already in use" in output
    assert list(tmp_path.iterdir()) == []
