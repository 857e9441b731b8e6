"""One process of a service: records its traffic on command, and scrapes the whole service on command."""

from __future__ import annotations

import gc
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.processes import Answer, answer_commands
from benchmarks.stores import Store, load, total
from benchmarks.workload import traffic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.workload import Traffic


class Process:
    """One worker of a service, with the traffic that it will have seen."""

    def __init__(self, store: Store, seen: list[Traffic]) -> None:
        self._store = store
        self._seen = seen

    def fill(self, _: float) -> Answer:
        """Records everything once."""
        return self._record(self._seen)

    def touch(self, _: float) -> Answer:
        """One more request per series, so that no reader can answer from what it read before."""
        return self._record([replace(each, durations=each.durations[:1], sizes=each.sizes[:1]) for each in self._seen])

    def scrape(self, _: float) -> Answer:
        """Renders the whole service, and reads back how many requests and seconds the page reports."""
        gc.collect()
        begin = time.process_time_ns()
        rendered = self._store.render()
        seconds = (time.process_time_ns() - begin) / 1e9
        return {
            "processor_seconds": seconds,
            "bytes": len(rendered),
            "requests": total(rendered, f"{self._store.DURATION}_count"),
            "seconds": total(rendered, f"{self._store.DURATION}_sum"),
        }

    def _record(self, seen: Sequence[Traffic]) -> Answer:
        """Answers how many requests and seconds that were."""
        for each in seen:
            self._store.record(each)
        durations = [duration for each in seen for duration in each.durations]
        return {"requests": len(durations), "seconds": sum(durations)}


def main(store: str, worker: str) -> None:
    process = Process(load(store), list(traffic(int(worker))))
    answer_commands({"fill": process.fill, "touch": process.touch, "scrape": process.scrape}, sys.stdin)


if __name__ == "__main__":
    main(*sys.argv[1:])
