"""One contender around one app, whose resident memory is read between runs of requests."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.apps import make_app
from benchmarks.contenders import wrap
from benchmarks.processes import Answer, answer_commands
from benchmarks.requests import drive

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    """Resident set size of this process, pages of shared memory that it touched included."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


def main(contender: str, app_name: str) -> None:
    app: ASGIApp = wrap(contender, make_app(app_name))

    def run(count: float) -> Answer:
        asyncio.run(drive(app, int(count)))
        gc.collect()
        return {"bytes": resident_bytes()}

    answer_commands({"run": run}, sys.stdin)


if __name__ == "__main__":
    main(*sys.argv[1:])
