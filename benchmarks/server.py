"""One contender served by uvicorn on one core, and wrk on another to load it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from benchmarks.apps import PATH
from benchmarks.requests import HEADERS
from benchmarks.resident import peak_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

SERVER_CPU: Final = 0
CLIENT_CPU: Final = 1
CONNECTIONS: Final = 32


class Load(NamedTuple):
    """Requests per second, the seconds within which 99 % of them were answered, and how many there were."""

    rate: float
    p99: float
    requests: int


_UNITS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


class ServerFailed(RuntimeError):
    """A server did not start, or answered wrk with something other than 200."""


class Server:
    """uvicorn with one worker, uvloop and httptools, pinned to `SERVER_CPU`, until the block ends.

    The listening socket is made here and handed over: its port is known and free, and a connection
    made before the server is up waits in the backlog instead of being refused.
    """

    def __init__(
        self, contender: str, app: str, environment: Mapping[str, str] | None = None, under: Sequence[str] = ()
    ) -> None:
        """``under`` is a command that runs the server's, such as valgrind."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]
            descriptor = listener.fileno()
            self._process = subprocess.Popen(
                [
                    *pinned(SERVER_CPU),
                    *under,
                    sys.executable,
                    "-m",
                    "benchmarks.serve",
                    contender,
                    app,
                    str(descriptor),
                ],
                pass_fds=[descriptor],
                env={**os.environ, **(environment or {})},
            )

    def load(self, seconds: int) -> Load:
        """What wrk had answered; raises ServerFailed when not all were."""
        headers = [part for name, value in HEADERS if name not in _WRK_SETS for part in ("-H", f"{name}: {value}")]
        output = subprocess.run(
            [
                *pinned(CLIENT_CPU),
                "wrk",
                "--latency",
                "-t1",
                f"-c{CONNECTIONS}",
                f"-d{seconds}s",
                "--timeout=20s",
                *headers,
                self._url(),
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
        slowest = re.search(r" 99%\s+([\d.]+)(us|ms|s)\b", output)
        requests = re.search(r"(\d+) requests in ", output)
        if not (rate and slowest and requests) or "Non-2xx" in output or "Socket errors" in output:
            raise ServerFailed(f"wrk did not get 200 for every request:\n{output}")
        return Load(float(rate[1]), float(slowest[1]) * _UNITS[slowest[2]], int(requests[1]))

    def cpu_seconds(self) -> float:
        """Processor time that the server has used so far, all its threads, in seconds."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    @property
    def pid(self) -> int:
        return self._process.pid

    def peak_bytes(self) -> int:
        return peak_bytes(self._process.pid)

    def _url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)


# wrk makes these itself.
_WRK_SETS: Final = {"Host", "Connection"}


def pinned(cpu: int) -> list[str]:
    return ["taskset", "--cpu-list", str(cpu)]
