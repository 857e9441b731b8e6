"""AnyIO's limiter: when it is looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import asyncio, sys, time
from pathlib import Path
import anyio.to_thread, trio, uvloop
from stethoscope import names
from stethoscope.instruments.runtime.loops import PERIOD
from stethoscope.instruments.runtime.worker import Worker
from tests.middleware.scripted import Records, exchange_of

library, backend = sys.modules[sys.argv[1]], sys.argv[2]
sleep = trio.sleep if library is trio else asyncio.sleep
records = Records(Path(sys.argv[3]))
worker = Worker(records.recorder)

async def serve():
    for _ in range(3):
        worker.arrived(exchange_of(records))
        await sleep(PERIOD)
    assert f"anyio._backends._{backend}" not in sys.modules
    await anyio.to_thread.run_sync(int)
    ends = time.monotonic() + 20
    while not records.numbers(names.ANYIO_LIMIT) and time.monotonic() < ends:
        await sleep(PERIOD)
        worker.sample()
    print(records.numbers(names.ANYIO_LIMIT))

trio.run(serve) if library is trio else library.run(serve())
"""


@pytest.mark.parametrize(("library", "backend"), [("asyncio", "asyncio"), ("uvloop", "asyncio"), ("trio", "trio")])
def test_anyio_is_left_alone_until_the_app_uses_it_and_is_seen_then(library: str, backend: str, tmp_path: Path) -> None:
    """What it imports for a kind of loop takes milliseconds, which the first request would wait."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, library, backend, str(tmp_path)],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.stderr, run.stdout) == ("", "{(): 40.0}\n")
