"""What a thousand viewers of the live page do to the app's own requests; see README, "Viewers"."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.report import Floor, Result
from tests.servers import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Server

APP: Final = "benchmarks.watched:app"
TOKEN: Final = "a-token-for-the-bench"
FLOOR: Final = 1.1
_WORKERS: Final = 2
_PER_SECOND: Final = 100
_REQUEST: Final = b"GET / HTTP/1.1\r\nhost: bench\r\n\r\n"


def run(viewers: int, rounds: int, seconds: int) -> Result:
    """Interleaved rounds with viewers and without, requests at a steady rate in both."""
    alone: list[float] = []
    watched: list[float] = []
    with tempfile.TemporaryDirectory(dir=_shared_memory()) as folder:
        env = {"STETHOSCOPE_TOKEN": TOKEN, "STETHOSCOPE_DIR": folder}
        with serve("uvicorn", APP, workers=_WORKERS, env=env) as server:
            asyncio.run(load(server, 2))
            for _ in range(rounds):
                alone.append(p99(asyncio.run(load(server, seconds))))
                with watching(server, viewers):
                    watched.append(p99(asyncio.run(load(server, seconds))))
    ratios = [one / other for one, other in zip(watched, alone, strict=True)]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    return Result(
        name="viewers",
        floors=[Floor(f"p99 with {viewers:,} viewers / without", FLOOR, statistics.median(ratios), "", spread=spread)],
        columns=("", "p99 ms, median of rounds"),
        rows=[
            ("nobody looks", f"{statistics.median(alone) * 1e3:.2f}"),
            (f"{viewers:,} viewers", f"{statistics.median(watched) * 1e3:.2f}"),
        ],
        readings={"alone": alone, "watched": watched},
        note=f"{_PER_SECOND} requests a second, {_WORKERS} workers, {rounds} rounds of {seconds} s each.",
    )


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
        f"GET /_stethoscope/api/stream HTTP/1.1\r\nhost: bench\r\naccept-encoding: gzip\r\n"
        f"authorization: Bearer {TOKEN}\r\n\r\n"
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
