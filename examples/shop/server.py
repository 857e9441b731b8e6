"""The shop on uvicorn, in a process group of its own, gone with all it wrote when it is stopped."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

START_SECONDS = 30.0
"""How long the server may take until it accepts connections."""

STOP_SECONDS = 10.0
"""How long the server may take to end its connections before it is killed."""


class ShopFailed(Exception):
    """The server cannot run; the text says why and ends with its log."""


@dataclass(frozen=True, slots=True)
class Shop:
    """A running shop: its port, and the token of its metrics."""

    port: int
    token: str
    process: asyncio.subprocess.Process
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def opened(self) -> None:
        """Returns when the server accepts connections; raises `ShopFailed` when it takes too long."""
        try:
            async with asyncio.timeout(START_SECONDS):
                while True:
                    if await accepts(self.port):
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise ShopFailed(f"The server does not open:\n{self.last_words()}") from None

    async def failed(self) -> None:
        """Returns never; raises `ShopFailed` if the server ends."""
        code = await self.process.wait()
        raise ShopFailed(f"The server ended with status {code}:\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of the server's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


@asynccontextmanager
async def open_shop(workers: int, port: int | None) -> AsyncIterator[Shop]:
    """Start the server; when left, stop it and remove its database, metrics and log."""
    with TemporaryDirectory(prefix="stethoscope-shop-") as name:
        folder = Path(name)
        port = port or free_port()
        token = secrets.token_urlsafe(16)
        # Set for this process too, so that stethoscope.snapshot() here looks where the shop records.
        os.environ["SHOP_DATABASE"] = str(folder / "shop.sqlite3")
        os.environ["STETHOSCOPE_DIR"] = str(folder / "segments")
        os.environ["STETHOSCOPE_TOKEN"] = token
        log = folder / "server.log"
        process = await start(workers, port, log)
        try:
            yield Shop(port, token, process, log)
        finally:
            await stop(process)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def start(workers: int, port: int, log: Path) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "uvicorn", "examples.shop.app:app", "--workers", str(workers)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    command += ["--timeout-graceful-shutdown", "2"]
    with log.open("wb") as output:
        # In a session of its own a Ctrl-C reaches only the driver, which then reads the last
        # numbers while the server still answers.
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


async def stop(process: asyncio.subprocess.Process) -> None:
    """End the server and its workers: asked first, killed if that takes too long."""
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    await process.wait()
