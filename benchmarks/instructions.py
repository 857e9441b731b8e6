"""Instructions that a server takes for a request, which no other load on the machine changes; see README, "Instructions"."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.report import Result
from benchmarks.server import Server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WARM_UP_SECONDS: Final = 20
"""What a worker does first after a quarter of a minute is done by then, and all that it imports late."""

DEFAULT_CONTENDERS: Final = dict.fromkeys(("starlette", "raw"), ("bare", "wrap", "headers", "stethoscope"))

EVENTS: Final = ("Ir", "I1mr", "D1mr")
"""Of callgrind: instructions, and the reads of code and of data that miss caches of the first level."""

_CALLGRIND: Final = (
    "valgrind",
    "--quiet",
    "--tool=callgrind",
    "--instr-atstart=no",
    "--separate-threads=yes",
    "--cache-sim=yes",
    "--I1=32768,8,64",
    "--D1=32768,8,64",
)


def count(contender: str, app: str, seconds: int) -> list[float]:
    """Of a request each of `EVENTS`, in the thread of the server's event loop.

    Not of all threads: what they do is done by the clock, and the server is slowed down fiftyfold.
    """
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts"
        with Server(contender, app, under=[*_CALLGRIND, f"--callgrind-out-file={counts}"]) as server:
            server.load(WARM_UP_SECONDS)
            _control(server, "--instr=on")
            answered = server.load(seconds).requests
            _control(server, "--instr=off")
            _control(server, "--dump")
        return [total / answered for total in _totals(Path(f"{counts}.1-01").read_text())]


def _control(server: Server, action: str) -> None:
    subprocess.run(["callgrind_control", action, str(server.pid)], check=True, stdout=subprocess.DEVNULL)


def _totals(dump: str) -> list[int]:
    """Of `EVENTS`, from a file in callgrind's format."""
    lines = dict(line.split(": ", 1) for line in dump.splitlines() if line.startswith(("events: ", "totals: ")))
    counted = dict(zip(lines["events"].split(), map(int, lines["totals"].split()), strict=False))
    return [counted.get(event, 0) for event in EVENTS]


def run(contenders: Mapping[str, Sequence[str]], seconds: int) -> Result:
    found = {(app, name): count(name, app, seconds) for app, names in contenders.items() for name in names}
    return Result(
        name="instructions",
        floors=[],
        columns=("app", "contender", "instructions/request", "bare's % of them", "misses of code", "misses of data"),
        rows=[
            (
                app,
                name,
                f"{own[0]:,.0f}",
                f"{100 * found[app, 'bare'][0] / own[0]:.1f}",
                f"{own[1]:,.0f}",
                f"{own[2]:,.0f}",
            )
            for (app, name), own in found.items()
        ],
        readings={f"{app}/{name}": own for (app, name), own in found.items()},
        note=f"{seconds} s of each server under valgrind, whose caches of the first level have 32 kB each.",
    )
