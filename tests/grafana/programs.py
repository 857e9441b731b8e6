"""Prometheus, Alertmanager and a receiver of its webhooks: real, on free loopback ports, ended by process id."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from tests.servers import HOST, free_port

T = TypeVar("T")

# A client of its own for each question would spend most of its time on reading certificates.
_CLIENT: Final = httpx.Client(timeout=30, trust_env=False)

PATIENCE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1


def wait_for(what: str, ask: Callable[[], T | None], seconds: float = PATIENCE_SECONDS) -> T:
    """The first answer that is not None. Raises AssertionError when there is none in time."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while True:
        with contextlib.suppress(httpx.TransportError):
            if (answer := ask()) is not None:
                return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain for {what}")
        pause.wait(_POLL_SECONDS)


class QueryFailed(AssertionError):
    """Prometheus refused an expression, or failed in it."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    url: str
    pid: int

    def ask(self, path: str, **parameters: str | float) -> Any:
        """What the API answers to a query."""
        content = _CLIENT.post(f"{self.url}/api/v1/{path}", data=parameters).json()
        if content["status"] != "success":
            raise QueryFailed(f"{content['error']}: {parameters}")
        return content["data"]

    def get(self, path: str) -> Any:
        return _CLIENT.get(f"{self.url}/api/v1/{path}").json()["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found

    def query_range(self, expression: str, seconds: float, step: float = 1) -> list[dict[str, Any]]:
        now = time.time()
        found: list[dict[str, Any]] = self.ask(
            "query_range", query=expression, start=now - seconds, end=now, step=step
        )["result"]
        return found

    def value(self, expression: str) -> float | None:
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else None


@contextlib.contextmanager
def prometheus(folder: Path, config: str, features: Sequence[str] = ("exemplar-storage",)) -> Iterator[Prometheus]:
    """``config`` is the text of its configuration file; paths in it are relative to ``folder``."""
    port = free_port()
    (folder / "prometheus.yml").write_text(config)
    command = [
        *("prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'series'}"),
        *(f"--web.listen-address={HOST}:{port}", "--log.level=warn"),
        *([f"--enable-feature={','.join(features)}"] if features else []),
    ]
    with _running(command, folder / "prometheus.log", f"http://{HOST}:{port}/-/ready") as pid:
        yield Prometheus(f"http://{HOST}:{port}", pid)


@contextlib.contextmanager
def alertmanager(folder: Path, config: Path) -> Iterator[str]:
    """Its address."""
    port = free_port()
    command = [
        *("prometheus-alertmanager", f"--config.file={config}", f"--storage.path={folder / 'alertmanager'}"),
        *(f"--web.listen-address={HOST}:{port}", "--cluster.listen-address=", "--log.level=warn"),
    ]
    with _running(command, folder / "alertmanager.log", f"http://{HOST}:{port}/-/ready"):
        yield f"http://{HOST}:{port}"


@contextlib.contextmanager
def _running(command: list[str], log: Path, ready: str) -> Iterator[int]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=log.parent)
        try:

            def answers() -> bool | None:
                assert process.poll() is None, log.read_text()
                return _CLIENT.get(ready).status_code == 200 or None

            wait_for(command[0], answers)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert as a webhook brought it. ``at`` is the time of its arrival, monotonic."""

    at: float
    path: str
    alert: dict[str, Any]

    @property
    def status(self) -> str:
        return str(self.alert["status"])

    @property
    def labels(self) -> dict[str, str]:
        found: dict[str, str] = self.alert["labels"]
        return found

    @property
    def annotations(self) -> dict[str, str]:
        found: dict[str, str] = self.alert["annotations"]
        return found


class Receiver:
    """What webhooks brought so far."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.notices: list[Notice] = []

    def arrived(self, since: float, path: str, status: str, **labels: str) -> Notice | None:
        """The first notice after ``since`` with these labels."""
        for notice in list(self.notices):
            matches = notice.path == path and notice.status == status and labels.items() <= notice.labels.items()
            if notice.at >= since and matches:
                return notice
        return None


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["content-length"])))
            now = time.monotonic()
            found.notices.extend(Notice(now, self.path, alert) for alert in content["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        found = Receiver(f"http://{HOST}:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
