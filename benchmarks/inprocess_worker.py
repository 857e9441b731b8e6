"""One contender around one app, timed in rounds on command; alone in its process."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.apps import make_app
from benchmarks.contenders import wrap
from benchmarks.processes import Answer, answer_commands
from benchmarks.requests import drive
from benchmarks.resident import peak_bytes

if TYPE_CHECKING:
    from starlette.types import ASGIApp

WARM_UP_REQUESTS = 2_000
FIRST_REQUESTS = 20
"""Of each event loop, before the clock starts: contenders may meet a loop with work that is done once, and a loop of a server lives long."""


def time_requests(app: ASGIApp, count: int) -> float:
    """Seconds of processor time per request over `count` requests.

    Processor time of the whole process, not wall time: other loads on the machine do not enter
    it, and work that a contender moves to a thread does.
    """

    async def timed() -> float:
        await drive(app, FIRST_REQUESTS)
        begin = time.process_time_ns()
        await drive(app, count)
        return (time.process_time_ns() - begin) / 1e9 / count

    gc.collect()
    return asyncio.run(timed())


class Rounds:
    """A warm app and the number of requests that fills one round."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._count = WARM_UP_REQUESTS

    def calibrate(self, round_s: float) -> Answer:
        time_requests(self._app, WARM_UP_REQUESTS)
        per_request = time_requests(self._app, WARM_UP_REQUESTS)
        self._count = max(200, int(round_s / per_request))
        return {"requests": self._count}

    def run(self, _: float) -> Answer:
        return {"seconds": time_requests(self._app, self._count)}

    def peak(self, _: float) -> Answer:
        return {"bytes": peak_bytes(os.getpid())}


def main(contender: str, app: str) -> None:
    rounds = Rounds(wrap(contender, make_app(app)))
    answer_commands({"calibrate": rounds.calibrate, "run": rounds.run, "peak": rounds.peak}, sys.stdin)


if __name__ == "__main__":
    main(*sys.argv[1:])
