"""Real ASGI servers for tests: started on a free loopback port, ended by process id.

    with serve("uvicorn", "tests.apps.starlette_app:app", workers=2) as server:
        httpx.get(server.url + "/")

Every server runs in a session of its own, so that nothing of it outlives the test, not even the
workers of a parent that was killed.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, get_args

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"

Kind = Literal[
    "uvicorn",
    "uvicorn-h11-asyncio",
    "gunicorn",
    "gunicorn-preload",
    "hypercorn",
    "hypercorn-trio",
    "granian",
    "daphne",
]
"""``uvicorn`` alone means httptools on uvloop; gunicorn runs uvicorn's workers."""

KINDS: tuple[Kind, ...] = get_args(Kind)

_START_SECONDS = 20.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.02


def _uvicorn(app: str, port: int, workers: int, http: str, loop: str) -> list[str]:
    command = ["uvicorn", app, "--host", HOST, "--port", str(port), "--http", http, "--loop", loop]
    command += ["--log-level", "warning", "--timeout-graceful-shutdown", "5"]
    return command + (["--workers", str(workers)] if workers > 1 else [])


def _gunicorn(app: str, port: int, workers: int) -> list[str]:
    worker = ["--worker-class", "uvicorn_worker.UvicornWorker", "--graceful-timeout", "5"]
    bind = ["--bind", f"{HOST}:{port}", "--workers", str(workers), "--log-level", "warning"]
    return ["gunicorn", app, *worker, *bind]


def _hypercorn(app: str, port: int, workers: int, worker_class: str) -> list[str]:
    bind = ["--bind", f"{HOST}:{port}", "--workers", str(workers), "--log-level", "warning"]
    return ["hypercorn", app, "--worker-class", worker_class, "--graceful-timeout", "5", *bind]


def _granian(app: str, port: int, workers: int) -> list[str]:
    bind = ["--host", HOST, "--port", str(port), "--workers", str(workers)]
    return ["granian", app, "--interface", "asgi", "--log-level", "warning", *bind]


def _daphne(app: str, port: int, workers: int) -> list[str]:
    if workers != 1:
        raise ValueError(f"daphne is one process, it cannot run {workers} workers")
    return ["daphne", app, "--bind", HOST, "--port", str(port), "--verbosity", "0"]


_COMMANDS: Mapping[Kind, Callable[[str, int, int], list[str]]] = {
    "uvicorn": lambda app, port, n: _uvicorn(app, port, n, "httptools", "uvloop"),
    "uvicorn-h11-asyncio": lambda app, port, n: _uvicorn(app, port, n, "h11", "asyncio"),
    "gunicorn": _gunicorn,
    "gunicorn-preload": lambda app, port, n: [*_gunicorn(app, port, n), "--preload"],
    "hypercorn": lambda app, port, n: _hypercorn(app, port, n, "asyncio"),
    "hypercorn-trio": lambda app, port, n: _hypercorn(app, port, n, "trio"),
    "granian": _granian,
    "daphne": _daphne,
}


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens. ``pid`` is its first process: the one that users start and signal."""

    kind: Kind
    port: int
    process: subprocess.Popen[bytes]
    output: IO[bytes]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    def children(self) -> list[int]:
        """Process ids of the direct children, in order of their start: workers, and a resource
        tracker where multiprocessing uses one."""
        with contextlib.suppress(FileNotFoundError):
            return [
                int(pid)
                for task in Path(f"/proc/{self.pid}/task").iterdir()
                for pid in (task / "children").read_text().split()
            ]
        return []

    def log(self) -> str:
        """What the server and its workers wrote to stdout and stderr so far."""
        return os.pread(self.output.fileno(), 1 << 20, 0).decode(errors="replace")

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """Signal the first process, wait for its end, and return its exit code; then nothing of
        its session is left. A server that does not end is killed, which fails the test."""
        try:
            self.process.send_signal(sig)
            return self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.kind} ignored {sig.name}:\n{self.log()}") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()


@contextlib.contextmanager
def serve(
    kind: Kind,
    app: str,
    *,
    workers: int = 1,
    env: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    cwd: Path = ROOT,
) -> Iterator[Server]:
    """Serve ``app`` ("module:attribute", importable from the checkout or ``cwd``) until the block ends.

    Listening is all that is waited for: with several workers the first requests may have to wait
    for them. ``env`` is added to the environment, which carries no ``STETHOSCOPE_*`` setting of
    whoever runs the tests. ``options`` are added to the command line.

    Raises:
        AssertionError: the server ended or did not listen in time; the text has its output.
    """
    with tempfile.TemporaryFile() as output:
        server = _start(kind, app, workers, _environment(cwd, env or {}), options, cwd, output)
        try:
            yield server
        finally:
            if server.process.poll() is None:
                server.stop()
            else:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(server.pid, signal.SIGKILL)


def free_port() -> int:
    """A loopback port that nobody listens on. It is below the range from which the kernel takes
    ports for outgoing connections, so that only another test could take it."""
    while True:
        port = random.SystemRandom().randint(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port


def _environment(cwd: Path, extra: Mapping[str, str]) -> dict[str, str]:
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("STETHOSCOPE_") or key == "STETHOSCOPE_PURE"  # which code is tested is no setting
    }
    path = os.pathsep.join(dict.fromkeys([str(cwd), str(ROOT)]))
    return {**kept, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **extra}


def _start(
    kind: Kind,
    app: str,
    workers: int,
    env: Mapping[str, str],
    options: Sequence[str],
    cwd: Path,
    output: IO[bytes],
) -> Server:
    for _ in range(3):
        port = free_port()
        command = [sys.executable, "-m", *_COMMANDS[kind](app, port, workers), *options]
        process = subprocess.Popen(command, env=env, cwd=cwd, stdout=output, stderr=output, start_new_session=True)
        server = Server(kind, port, process, output)
        if _listens(server):
            return server
        if "in use" not in server.log():
            break
    raise AssertionError(f"{kind} ended before it listened:\n{server.log()}")


def _listens(server: Server) -> bool:
    """Whether the server listens; False where it ended instead."""
    for _ in range(int(_START_SECONDS / _POLL_SECONDS)):
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(_POLL_SECONDS)
            return False
        with contextlib.suppress(OSError):
            socket.create_connection((HOST, server.port), timeout=1).close()
            return True
    server.stop(signal.SIGKILL)
    raise AssertionError(f"{server.kind} did not listen within {_START_SECONDS:g} s:\n{server.log()}")
