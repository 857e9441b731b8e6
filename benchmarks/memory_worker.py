"""One contender around one app, whose resident memory is read between runs of requests."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from typing import TYPE_CHECKING

from benchmarks.apps import make_app
from benchmarks.contenders import wrap
from benchmarks.processes import Answer, answer_commands
from benchmarks.requests import drive
from benchmarks.resident import resident_bytes

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def main(contender: str, app_name: str) -> None:
    app: ASGIApp = wrap(contender, make_app(app_name))

    def run(count: float) -> Answer:
        asyncio.run(drive(app, int(count)))
        gc.collect()
        return {"bytes": resident_bytes(os.getpid())}

    answer_commands({"run": run}, sys.stdin)


if __name__ == "__main__":
    main(*sys.argv[1:])
