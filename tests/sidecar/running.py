"""A sidecar in a process of its own, on a free port, ended by process id.

with sidecar("--dir", folder) as beside:
    beside.scrape()
"""

from __future__ import annotations

import contextlib
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import IO

from tests.scrape import Samples, parse
from tests.servers import HOST, ROOT, free_port

PATIENCE = 60.0
PAUSE = 0.03


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sidecar:
    port: int
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    tls: ssl.SSLContext | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        """What it has written so far."""
        return os.pread(self.output.fileno(), 1 << 20, 0).decode(errors="replace")

    def get(self, path: str, **headers: str) -> Answer:
        """Raises OSError when nobody answers."""
        connection = self._connection()
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"connection": "close", **headers})
            answer: HTTPResponse = connection.getresponse()
            return Answer(answer.status, answer.read().decode(), dict(answer.getheaders()))

    def first(self, path: str) -> bytes:
        """What comes first of an answer that has no end."""
        connection = self._connection()
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read1()

    def _connection(self) -> HTTPConnection:
        if self.tls is None:
            return HTTPConnection(HOST, self.port, timeout=10)
        return HTTPSConnection(HOST, self.port, timeout=10, context=self.tls)

    def scrape(self, path: str = "/metrics", **headers: str) -> Samples:
        answer = self.get(path, **headers)
        assert answer.status == 200, f"{answer.status} {answer.body}\n{self.log()}"
        return parse(answer.body)

    def end(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, and wait for its end; returns the exit status, negative for a signal."""
        self.process.send_signal(sig)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the sidecar ignored {sig.name}:\n{self.log()}") from None


@contextlib.contextmanager
def sidecar(
    *arguments: str,
    port: int | None = None,
    tls: ssl.SSLContext | None = None,
    env: Mapping[str, str] | None = None,
    user: tuple[int, int] | None = None,
    module: str = "stethoscope",
) -> Iterator[Sidecar]:
    """A sidecar that answers. ``user`` is the number of the user that it runs as, and of a group of theirs, for tests that are root."""
    port = free_port() if port is None else port
    command = [*program(user, module), "sidecar", "--listen", f"{HOST}:{port}", *arguments]
    with running(command, env or {}) as (process, output):
        beside = Sidecar(port, process, output, tls)
        until(lambda: _answers(beside), beside.log)
        yield beside


def program(user: tuple[int, int] | None = None, module: str = "stethoscope") -> list[str]:
    if user is None:
        return [sys.executable, "-m", module]
    return [sys.executable, "-m", "tests.sidecar.as_user", *map(str, user)]


@contextlib.contextmanager
def running(command: list[str], env: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A process, and what it writes; it is killed when the block ends."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            yield process, output
        finally:
            process.kill()
            process.wait()


def _answers(beside: Sidecar) -> bool:
    assert beside.process.poll() is None, f"the sidecar has ended:\n{beside.log()}"
    with contextlib.suppress(OSError):
        return beside.get("/healthz").status == 200
    return False


def until(holds: Callable[[], bool], explain: Callable[[], object] = str) -> None:
    """Ask again and again until it holds, for at most so long."""
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, explain()
        pause.wait(PAUSE)
