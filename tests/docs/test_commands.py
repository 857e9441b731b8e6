"""The commands in the page on servers serve, and the workers of each find each other without configuration."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.docs.pages import ROOT, blocks
from tests.servers import HOST, Kind, Server, free_port

PAGE = ROOT / "docs" / "how-to" / "servers.md"
PORT: dict[Kind, str] = {
    "uvicorn": "--port {port}",
    "gunicorn": "--bind {host}:{port}",
    "hypercorn": "--bind {host}:{port}",
    "granian": "--port {port}",
    "daphne": "--port {port}",
}
TOKEN = "for-tests-only"
COUNT = re.compile(r"^http_server_request_duration_seconds_count\{.*\} (\d+)$", re.MULTILINE)
WORKERS = re.compile(r"^stethoscope_workers (\d+)", re.MULTILINE)

COMMANDS = [
    line.removeprefix("$ ")
    for block in blocks(PAGE, "console")
    for line in block.text.splitlines()
    if line.removeprefix("$ ").split()[0] in PORT
]


@contextmanager
def served(command: str, folder: Path) -> Iterator[Server]:
    program, *arguments = shlex.split(command)
    kind = next(kind for kind in PORT if kind == program)
    port = free_port()
    where = PORT[kind].format(host=HOST, port=port).split()
    settings = {"STETHOSCOPE_TOKEN": TOKEN, "STETHOSCOPE_DIR": str(folder / "segments")}
    env = {**os.environ, **settings, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    line = [sys.executable, "-m", program, *arguments, *where]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(line, cwd=folder, env=env, stdout=output, stderr=output, start_new_session=True)
        server = Server(kind, port, process, output)
        try:
            yield server
        finally:
            server.stop()


def greet(server: Server) -> bool:
    try:
        return bool(httpx.get(f"{server.url}/hello/you", timeout=60.0).json() == {"hello": "you"})
    except httpx.TransportError:
        return False


def scrape(server: Server) -> tuple[int, int]:
    """How many workers there are, and how many requests they have answered."""
    answer = httpx.get(f"{server.url}/_stethoscope/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200, server.log()
    return sum(map(int, WORKERS.findall(answer.text))), sum(map(int, COUNT.findall(answer.text)))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_serves_and_any_worker_answers_for_all(command: str, tmp_path: Path) -> None:
    [app] = [block for block in blocks(ROOT / "README.md", "python") if block.file == "app.py"]
    (tmp_path / "app.py").write_text(app.text.replace('service="hello"', ""))
    given = re.search(r"--workers (\d+)", command)
    workers = int(given[1]) if given else 1
    answered, pause = 0, threading.Event()
    with served(command, tmp_path) as server:
        for _ in range(400):
            if greet(server):
                answered += 1
                if answered > 10 and scrape(server)[0] == workers:
                    break
            else:
                assert server.process.poll() is None, server.log()
                pause.wait(0.05)
        assert [scrape(server) for _ in range(4)] == [(workers, answered)] * 4, server.log()


def test_the_page_has_commands_for_each_server() -> None:
    assert {command.split()[0] for command in COMMANDS} == set(PORT)
