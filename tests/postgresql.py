"""A real PostgreSQL for tests: a cluster of its own on a free loopback port, ended by process id."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import HOST, free_port

_INSTALLED = Path("/usr/lib/postgresql")
_START_SECONDS = 60
# Nothing of it has to survive the machine, and tests of failures want to see statements in its log.
_OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "log_statement": "all",
    "shared_preload_libraries": "pg_stat_statements",
    "max_connections": "50",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """One that runs. The user ``postgres`` may do everything, and needs no password."""

    port: int
    log: Path

    def url(self, driver: str, database: str = "postgres", user: str = "postgres") -> str:
        """For SQLAlchemy: ``driver`` is ``asyncpg``, ``pg8000``, …"""
        return f"postgresql+{driver}://{user}@{HOST}:{self.port}/{database}"


def programs() -> Path:
    """Where the newest PostgreSQL is installed. Raises FileNotFoundError where there is none."""
    found = sorted(_INSTALLED.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if not found:
        raise FileNotFoundError(f"no PostgreSQL in {_INSTALLED}: `python tools/require.py test` says how to get it")
    return found[-1].parent


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Makes one in a temporary folder, starts it, and stops it."""
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    user = None if os.geteuid() else "postgres"  # it refuses to run as root
    if user:
        shutil.chown(folder, user)
    data, log, port = folder / "data", folder / "log", free_port()
    try:
        run(
            user,
            "initdb",
            "--pgdata",
            data,
            "--username",
            "postgres",
            "--auth",
            "trust",
            "--no-sync",
            "--encoding",
            "UTF8",
        )
        options = " ".join(f"-c {name}={value}" for name, value in _OPTIONS.items())
        options += f" -p {port} -c listen_addresses={HOST} -c unix_socket_directories="
        run(user, "pg_ctl", "start", "--pgdata", data, "--log", log, "--wait", "-t", _START_SECONDS, "-o", options)
        try:
            yield Cluster(port, log)
        finally:
            run(user, "pg_ctl", "stop", "--pgdata", data, "--mode", "immediate", "--wait")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(user: str | None, program: str, *arguments: object) -> None:
    command = [str(programs() / program), *map(str, arguments)]
    # The server inherits what pg_ctl is given: a pipe would stay open as long as it runs.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            command, user=user, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
        )
        if done.returncode:
            output.seek(0)
            raise RuntimeError(f"{program} failed: {output.read().decode(errors='replace')}")
