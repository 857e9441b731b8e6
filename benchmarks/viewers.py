"""What a thousand viewers of the live page do to the app's own requests; see README, "Viewers"."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.fanout import EVENT_BYTES
from benchmarks.report import Floor, Result
from tests.servers import serve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.servers import Server

APP: Final = "benchmarks.watched:app"
CONTROL: Final = "benchmarks.fanout:app"
STREAM: Final = "/_stethoscope/api/stream"
TOKEN: Final = "a-token-for-the-bench"
FLOOR: Final = 1.1
_WORKERS: Final = 2
_PER_SECOND: Final = 100
_REQUEST: Final = b"GET / HTTP/1.1\r\nhost: bench\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Reading:
    """One round: seconds that each request took, and processor seconds of the workers per second."""

    taken: list[float]
    cpu: float


def run(viewers: int, rounds: int, seconds: int) -> Result:
    """Interleaved rounds with viewers and without, requests at a steady rate in both; the same with a bare app."""
    readings: dict[str, list[Reading]] = {}
    with tempfile.TemporaryDirectory(dir=_shared_memory()) as folder, ExitStack() as running:
        env = {"STETHOSCOPE_TOKEN": TOKEN, "STETHOSCOPE_DIR": folder}
        ours = running.enter_context(serve("uvicorn", APP, workers=_WORKERS, env=env))
        asyncio.run(load(ours, 2))
        size = event_bytes(ours)
        bare = running.enter_context(serve("uvicorn", CONTROL, workers=_WORKERS, env={EVENT_BYTES: str(size)}))
        asyncio.run(load(bare, 2))
        for _ in range(rounds):
            for name, server in (("live page", ours), ("bare app", bare)):
                readings.setdefault(f"{name}, nobody looks", []).append(measure(server, seconds))
                with watching(server, viewers):
                    readings.setdefault(f"{name}, {viewers:,} viewers", []).append(measure(server, seconds))
    alone, watched, *_ = readings.values()
    return Result(
        name="viewers",
        floors=[
            _floor(f"p99 with {viewers:,} viewers / without", watched, alone),
        ],
        columns=("", "p99 ms", "median ms", "processor ms per second, both workers"),
        rows=[
            (
                name,
                f"{p99(together(found)) * 1e3:.2f}",
                f"{statistics.median(together(found)) * 1e3:.2f}",
                f"{statistics.median(one.cpu for one in found) * 1e3:.0f}",
            )
            for name, found in readings.items()
        ],
        readings={name: [{"p99": p99(one.taken), "cpu": one.cpu} for one in found] for name, found in readings.items()},
        note=f"{_PER_SECOND} requests a second, {_WORKERS} workers, {rounds} rounds of {seconds} s each; events of {size:,} bytes.",
    )


def _floor(name: str, watched: list[Reading], alone: list[Reading]) -> Floor:
    """Of the p99 of all rounds together; as spread, of each round alone. A 99th percentile of one round is ten requests' doing."""
    each = [p99(one.taken) / p99(other.taken) for one, other in zip(watched, alone, strict=True)]
    return Floor(
        name, FLOOR, p99(together(watched)) / p99(together(alone)), spread=f"{min(each):.2f} to {max(each):.2f}"
    )


def together(readings: Iterable[Reading]) -> list[float]:
    return [seconds for one in readings for seconds in one.taken]


def measure(server: Server, seconds: int) -> Reading:
    before, begun = processor_seconds(server), time.monotonic()
    taken = asyncio.run(load(server, seconds))
    return Reading(taken, (processor_seconds(server) - before) / (time.monotonic() - begun))


def processor_seconds(server: Server) -> float:
    """Of all workers, as the scheduler has counted them."""
    tasks = [task for pid in server.children() for task in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def event_bytes(server: Server) -> int:
    """The size of an event on the way."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    with closing(connection):
        connection.request("GET", STREAM, headers={"accept-encoding": "gzip", "authorization": f"Bearer {TOKEN}"})
        return len(connection.getresponse().read1(1 << 20))


def p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98]


async def load(server: Server, seconds: float) -> list[float]:
    """How long each request took, on a connection of its own time, begun when it was due."""
    taken: list[float] = []
    connections = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(8)]
    start = time.monotonic()

    async def ask(index: int) -> None:
        reader, writer = connections[index % len(connections)]
        begun = time.monotonic()
        writer.write(_REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        taken.append(time.monotonic() - begun)
        assert head.startswith(b"HTTP/1.1 204"), head

    for index in range(int(seconds * _PER_SECOND)):
        await asyncio.sleep(max(0.0, start + index / _PER_SECOND - time.monotonic()))
        await ask(index)
    for _, writer in connections:
        writer.close()
    return taken


@contextmanager
def watching(server: Server, viewers: int) -> Iterator[None]:
    """So many viewers, in a process of their own, each with its first event."""
    command = [sys.executable, "-m", "benchmarks.viewers", str(server.port), str(viewers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"all there\n"
        try:
            yield
        finally:
            process.kill()


async def look(port: int, viewers: int) -> None:
    """Open the streams, say when all have begun, and read until killed."""
    request = (
        f"GET {STREAM} HTTP/1.1\r\nhost: bench\r\naccept-encoding: gzip\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
    ).encode()
    gate = asyncio.Semaphore(50)

    async def view() -> asyncio.StreamReader:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            await reader.readuntil(b"\r\n\r\n")
            await reader.read(1)
        _writers.append(writer)
        return reader

    readers = await asyncio.gather(*(view() for _ in range(viewers)))
    print("all there", flush=True)

    async def read(reader: asyncio.StreamReader) -> None:
        while await reader.read(65536):
            pass

    await asyncio.gather(*map(read, readers))
    raise RuntimeError("all viewers were dropped")


_writers: Final[list[asyncio.StreamWriter]] = []
"""Held, because a writer that is forgotten closes its connection."""


def _shared_memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() and os.access("/dev/shm", os.W_OK) else None


if __name__ == "__main__":
    asyncio.run(look(int(sys.argv[1]), int(sys.argv[2])))
