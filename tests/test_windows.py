"""Windows, as far as Linux can stand in for it: its platform's name, without what only POSIX has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from stethoscope import names

SCRIPT = """
import asyncio, json, os, sys, tempfile
import anyio.to_thread, multiprocessing, psutil, socket, sqlite3, starlette.applications, subprocess  # for what they are here

POSIX_MODULES = ("fcntl", "grp", "pwd", "resource", "termios")
POSIX_NAMES = ("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "fork", "getegid", "geteuid", "getgid", "getuid",
               "posix_fallocate", "pread", "pwrite", "register_at_fork", "sched_getaffinity", "sysconf")
sys.platform = "win32"
sys.modules.update(dict.fromkeys(POSIX_MODULES))
for name in POSIX_NAMES:
    delattr(os, name)

import stethoscope
from stethoscope.store.registry import default_recorder

TOKEN = "secret-of-the-tests"


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def get(served, path):
    sent = []
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        sent.append(message)
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": path,
             "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http",
             "headers": [(b"authorization", f"Bearer {TOKEN}".encode())], "client": ("h", 1), "server": ("h", 2)}
    # Not `run`, which would look for the loops of Windows.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(served(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]).decode()


served = stethoscope.install(app, token=TOKEN, request_log=sys.argv[1])
answers = {"/hello": get(served, "/hello")}
recorder = default_recorder()
for _ in range(2):
    for chore in recorder.chores:
        chore.task()
for path in ("/_stethoscope/metrics", "/_stethoscope/api/overview", "/_stethoscope/api/system"):
    answers[path] = get(served, path)
print(json.dumps(answers))
"""


def test_an_app_is_served_measured_and_scraped(tmp_path: Path) -> None:
    log = tmp_path / "requests.jsonl"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(log)],
        env=os.environ | {"STETHOSCOPE_DIR": str(tmp_path / "segments")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == (
        "this platform has no file locks that end with their process: each process sees only its own numbers\n"
    )
    answers = json.loads(done.stdout)
    assert {path: status for path, (status, _) in answers.items()} == dict.fromkeys(answers, 200)
    scraped = answers["/_stethoscope/metrics"][1]
    for metric in (
        names.REQUEST_DURATION,
        names.PROCESS_CPU_TIME,
        names.PROCESS_FILES,
        names.PROCESS_CONTEXT_SWITCHES,
        names.PROCESS_DISK_IO,
        names.PROCESS_UPTIME,
        names.SYSTEM_MEMORY_LIMIT,
        names.SYSTEM_UPTIME,
    ):
        assert f"\n# TYPE {metric.name}" in scraped
    assert [json.loads(line)["status"] for line in log.read_text().splitlines()] == [200]
    assert "stethoscope_internal_errors_total{" not in scraped
