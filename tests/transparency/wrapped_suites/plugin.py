"""A pytest plugin for another project's suite: every app that a test client calls is wrapped at one seam.

The seams are where Starlette's TestClient and httpx's ASGITransport keep the app that they call, and what
uvicorn's protocols and lifespan get of its Config. No test is edited: what the tests themselves hold
(`client.app`, `config.loaded_app`) stays the app.

WRAPPED_SUITES_MODE says what to wrap with: `bare` (nothing), `without-headers` or `default-headers`.
WRAPPED_SUITES_REPORT is the folder to which each process writes what it saw.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Protocol

import pytest

Message = MutableMapping[str, object]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[object]]

# Scopes that went through a seam, by type.
scopes: Counter[str] = Counter()
outcomes: dict[str, str] = {}
patch = pytest.MonkeyPatch()


class Client(Protocol):
    """What the lifespan of Starlette's TestClient needs of the client."""

    app: App
    app_state: dict[str, object]
    stream_send: object
    stream_receive: object


def wrapping(mode: str) -> Callable[[App], App]:
    """How an app is wrapped in this run."""
    if mode == "bare":
        return lambda app: app
    wrapper = importlib.import_module("stethoscope").Stethoscope
    return partial(wrapper, headers=()) if mode == "without-headers" else wrapper


def counted(app: App) -> App:
    """Count what goes through the seam, wrapped or not."""

    async def counting(scope: Message, receive: Receive, send: Send) -> object:
        scopes[str(scope["type"])] += 1
        return await app(scope, receive, send)

    return counting


def pytest_configure(config: pytest.Config) -> None:
    wrap = wrapping(os.environ["WRAPPED_SUITES_MODE"])

    def at_the_seam(app: App) -> App:
        return counted(wrap(app))

    wrap_test_client(at_the_seam)
    for library in ("httpx", "httpx2"):
        wrap_transport(importlib.import_module(library).ASGITransport, at_the_seam)
    patch.setattr(importlib.import_module("uvicorn").Config, "loaded_app", LoadedApp(at_the_seam), raising=False)


class LoadedApp:
    """Descriptor in place of `Config.loaded_app`: what serves gets the app wrapped, everyone else the app."""

    def __init__(self, wrap: Callable[[App], App]) -> None:
        self.wrap = wrap

    def __set__(self, config: object, app: App) -> None:
        vars(config)["loaded_app"] = app
        vars(config)["loaded_app_wrapped"] = self.wrap(app)

    def __get__(self, config: object, owner: type) -> App:
        reader = str(sys._getframe(1).f_globals["__name__"])
        serves = reader.startswith(("uvicorn.protocols", "uvicorn.lifespan"))
        app: App = vars(config)["loaded_app_wrapped" if serves else "loaded_app"]
        return app


def wrap_transport(transport: type, wrap: Callable[[App], App]) -> None:
    """Wrap the app that a transport is made with; it is kept in its `app`."""
    original = vars(transport)["__init__"]

    def wrapped_init(self: object, app: App, *args: object, **options: object) -> None:
        original(self, wrap(app), *args, **options)

    patch.setattr(transport, "__init__", wrapped_init)


def wrap_test_client(wrap: Callable[[App], App]) -> None:
    """Wrap requests and WebSockets at the transport, lifespan at the method that plays it."""
    testclient = importlib.import_module("starlette.testclient")
    wrap_transport(testclient._TestClientTransport, wrap)
    original = testclient.TestClient.lifespan

    async def wrapped_lifespan(self: Client) -> None:
        await original(
            SimpleNamespace(
                app=wrap(self.app),
                app_state=self.app_state,
                stream_send=self.stream_send,
                stream_receive=self.stream_receive,
            )
        )

    patch.setattr(testclient.TestClient, "lifespan", wrapped_lifespan)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        outcomes[report.nodeid] = "failed"
    elif report.when == "call" or report.skipped:
        outcomes.setdefault(report.nodeid, report.outcome)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        outcomes[report.nodeid] = "failed"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Workers write the scopes that they saw; whoever gets all reports writes the outcomes."""
    folder = Path(os.environ["WRAPPED_SUITES_REPORT"])
    (folder / f"scopes-{os.getpid()}.json").write_text(json.dumps(scopes))
    if not hasattr(session.config, "workerinput"):
        (folder / "outcomes.json").write_text(json.dumps(outcomes))
