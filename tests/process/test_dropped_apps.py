"""An app that is dropped takes all of ours with it: recorder, thread, files, and what was told of the garbage collector."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stethoscope import Stethoscope
from stethoscope.asgi import Receive, Scope, Send

SCRIPT = """
import asyncio, gc, json, os, sys, threading, time

import stethoscope
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from stethoscope.instruments import arrival
from stethoscope.instruments.sqlalchemy import _waiting as layers
from stethoscope.store.recorder import _recorders

APPS, one_loop, imports = int(sys.argv[1]), sys.argv[2] == "one loop", sys.argv[3]
if imports:
    __import__(imports)
if imports == "prometheus_client":
    COUNTED = sys.modules[imports].Counter("counted", "Of the app's own, which outlives all apps.")
    COUNTED.inc()


async def hello(request):
    return PlainTextResponse("hello")


async def use(app):
    sent = []
    async def send(message):
        sent.append(message)
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": "/hello",
             "raw_path": b"/hello", "query_string": b"", "root_path": "", "headers": [], "scheme": "http",
             "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2)}
    await app(dict(scope), receive, send)
    assert sent[0]["status"] == 200
    scope |= {"path": "/_stethoscope/api/overview", "headers": [(b"authorization", b"Bearer secret-token")]}
    await app(dict(scope), receive, send)
    assert sent[2]["status"] == 200, sent[2:]


def make(number):
    app = Starlette(routes=[Route("/hello", hello)])
    return stethoscope.install(app, service=f"service {number}", token="secret-token")


async def use_all(numbers):
    for number in numbers:
        await use(make(number))


def ours():
    return [thread for thread in threading.enumerate() if thread.name.startswith("stethoscope")]


def descriptors():
    return sorted(os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")
                  if os.path.exists(f"/proc/self/fd/{name}"))


async def main():
    # The first one leaves what is there once for a process.
    await use_all([0])
    gc.collect()
    before = descriptors()
    if one_loop:
        await use_all(range(1, APPS))
    else:
        await asyncio.to_thread(lambda: [asyncio.run(use_all([number])) for number in range(1, APPS)])
    started, until = len(ours()), time.monotonic() + 60
    # A thread of ours may be just at work for one.
    while (ours() or len(_recorders) or gc.callbacks) and time.monotonic() < until:
        gc.collect()
        await asyncio.sleep(0.05)
    print(json.dumps({
        "recorders": [one.service for one in _recorders],
        "threads": [thread.name for thread in ours()],
        "descriptors": [one for one in descriptors() if "service" in one or one not in before],
        "callbacks": len(gc.callbacks),
        "started": started,
        "waiting": max(map(len, [layers, *arrival._waiting.values()])),
    }))

asyncio.run(main())
"""


def left(tmp_path: Path, apps: int, *arguments: str) -> dict[str, Any]:
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(apps), *arguments],
        env=os.environ | {"STETHOSCOPE_DIR": str(tmp_path / "place")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-4000:]
    assert found.stderr == ""
    document: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return document


NOTHING = {"recorders": [], "threads": [], "descriptors": [], "callbacks": 0, "waiting": 1}


@pytest.mark.parametrize(
    ("apps", "loops", "imports"),
    [
        (50, "one loop", ""),
        (20, "a loop each", ""),
        (10, "a loop each", "sqlalchemy"),
        (10, "a loop each", "prometheus_client"),
    ],
)
def test_apps_that_were_used_once_leave_nothing_behind(tmp_path: Path, apps: int, loops: str, imports: str) -> None:
    found = left(tmp_path, apps, loops, imports)
    assert found.pop("started") > 0, "there were threads"
    assert found == NOTHING


def test_an_app_that_is_dropped_leaves_nothing_to_do_to_others_of_its_service(tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("nobody asks it")

    def make() -> Stethoscope:
        return Stethoscope(app, service="apps", dir=str(tmp_path), token="secret-token")

    staying = make()
    chores = len(staying.recorder.chores)
    for _ in range(3):
        make()
    gc.collect()
    assert len(staying.recorder.chores) == chores
