"""One process of a service: records its traffic on command, and is asked through its own API."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from benchmarks.processes import Answer, answer_commands
from benchmarks.requests import make_scope, receive
from benchmarks.stores.stethoscope import observed, record
from benchmarks.workload import traffic
from stethoscope.dashboards.api.operations import OPERATIONS
from stethoscope.store.clock import since_boot
from stethoscope.store.history import History

if TYPE_CHECKING:
    from starlette.types import Message

TOKEN: Final = "a-token-for-the-bench"
_ROUTE: Final = "/shop/100/items/{item_id}"
_QUERIES: Final = {
    "performance/endpoint": f"window=5m&method=GET&route={_ROUTE}",
    "timeline": "",
    "thresholds": "",
    "diagnosis": "",
    "requests": "",
    "performance/endpoints": "window=5m&limit=1000",
}
PATHS: Final = tuple(operation.path for operation in OPERATIONS if not operation.place)
_AGES: Final = (890, 600, 420, 310, 240, 180, 120, 75, 60, 45, 30, 15)
"""Seconds ago that snapshots were put aside."""


class Process:
    """One worker of a service, with the traffic that it will have seen."""

    def __init__(self, worker: int) -> None:
        self._seen = list(traffic(worker))
        self._app = observed(TOKEN)
        self._runner = asyncio.Runner()

    def fill(self, share: float) -> Answer:
        """Records this share of everything."""
        for each in self._seen:
            last = max(1, round(len(each.durations) * share))
            record(replace(each, durations=each.durations[:last], sizes=each.sizes[:last]))
        return {}

    def grow_old(self, _: float) -> Answer:
        """Has the service be twenty minutes old, with snapshots that all windows can be cut with, and a point for each 15 seconds."""
        folder, recorder = self._app.recorder.folder, self._app.recorder
        assert folder is not None
        present = recorder.snapshot()
        History(folder, lambda: since_boot() - 1200).reset(present)
        for age in _AGES:
            History(folder, lambda age=age: since_boot() - age).put_aside(present)  # type: ignore[misc]
        return {}

    def first(self, number: float) -> Answer:
        """Asks what nobody has asked for some time, so that nothing is remembered."""
        for _ in range(2):
            self._app.recorder.keep_house()
        self._app = observed(TOKEN)
        return self.ask(number)

    def ask(self, number: float) -> Answer:
        gc.collect()
        wall, processor = time.perf_counter(), time.process_time()
        size, status = self._runner.run(self._answer(PATHS[int(number)]))
        return {
            "wall_seconds": time.perf_counter() - wall,
            "processor_seconds": time.process_time() - processor,
            "bytes": size,
            "status": status,
        }

    def processor(self, _: float) -> Answer:
        return {"seconds": time.process_time()}

    async def _answer(self, path: str) -> tuple[int, int]:
        scope = make_scope()
        scope["path"] = f"/_stethoscope/api/{path}"
        scope["query_string"] = _QUERIES.get(path, "window=5m").encode()
        scope["headers"] = [*scope["headers"], (b"authorization", f"Bearer {TOKEN}".encode())]
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return sum(len(message.get("body", b"")) for message in sent), sent[0]["status"]


def main(worker: str) -> None:
    process = Process(int(worker))
    answer_commands(
        {
            "fill": process.fill,
            "grow_old": process.grow_old,
            "ask": process.ask,
            "first": process.first,
            "processor": process.processor,
        },
        sys.stdin,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
