"""One contender that serves few requests on a loop that is else idle, and the processor time that this takes."""

from __future__ import annotations

import asyncio
import sys
import time

from benchmarks.apps import make_app
from benchmarks.contenders import wrap
from benchmarks.processes import Answer, answer_commands
from benchmarks.requests import drive


def main(contender: str, seconds: str) -> None:
    app = wrap(contender, make_app("raw"))
    runner = asyncio.Runner()  # one loop for all periods, as a server has

    async def period(rate: float) -> float:
        await drive(app, 1)  # what is seldom, at first and not again, is over with the first period
        begin, end = time.process_time(), time.monotonic() + float(seconds)
        while (now := time.monotonic()) < end:
            if rate:
                await drive(app, 1)
            await asyncio.sleep(min(1 / rate if rate else end, end - now))
        return time.process_time() - begin

    def serve(rate: float) -> Answer:
        return {"seconds": runner.run(period(rate))}

    runner.run(period(0))
    answer_commands({"serve": serve}, sys.stdin)


if __name__ == "__main__":
    main(*sys.argv[1:])
