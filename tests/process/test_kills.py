"""Workers that are killed at any instant lose nothing, and no counter ever goes back."""

from __future__ import annotations

import mmap
import os
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from stethoscope import names
from stethoscope.store.distribution import Distribution
from stethoscope.store.snapshot import Snapshot
from tests.process import children
from tests.process.children import Child
from tests.process.stores import ACTIVE, REQUESTS, SECONDS, gatherer_in, recorder_in, segments, total, value

WORKERS = 8
KILLS = 50
ROUTES = tuple(f"/route/{number}" for number in range(20))


def record_until_killed(pipe: Connection, place: Path, acknowledged: Path, slot: int) -> None:
    """Record, then acknowledge, again and again: at most one record is ever not acknowledged."""
    os.nice(10)  # so that the test itself gets its turn
    recorder = recorder_in(place)
    with acknowledged.open("r+b") as file:
        done = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")
    active = recorder.gauge(ACTIVE)
    counters = [recorder.counter(REQUESTS, (route,)) for route in ROUTES]
    histograms = [recorder.histogram(SECONDS, (route,)) for route in ROUTES]
    count = done[slot]
    pipe.send("ready")
    while True:
        active.add(1.0)
        route = count % len(ROUTES)
        histograms[route].record(0.001 * (count % 1000))
        counters[route].add(1.0)
        count += 1
        done[slot] = count
        active.add(-1.0)


class Scraper:
    """Reads about ten times a second from outside, and notes every counter that went back."""

    def __init__(self, place: Path) -> None:
        self._gatherer = gatherer_in(place)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.scrapes = 0
        self.complaints: list[str] = []
        self._before: dict[tuple[str, tuple[str, ...], int], float] = {}

    @contextmanager
    def scraping(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.1):
            self.scrapes += 1
            self.compare(self._gatherer.gather())

    def compare(self, snapshot: Snapshot) -> None:
        now = dict(counts(snapshot))
        for key, before in self._before.items():
            if now.get(key, 0) < before:
                self.complaints.append(f"{key} went from {before} to {now.get(key)}")
        self._before = now


def counts(snapshot: Snapshot) -> Iterator[tuple[tuple[str, tuple[str, ...], int], float]]:
    """Every number of a snapshot that may only grow."""
    for metric in (REQUESTS, SECONDS):
        for series in snapshot.family(metric).series:
            if isinstance(series.value, Distribution):
                for bucket, count in enumerate(series.value.cumulative):
                    yield (metric.name, series.labels, bucket), count
                yield (metric.name, series.labels, -1), series.value.sum
            else:
                yield (metric.name, series.labels, 0), series.value


def test_fifty_kills_of_eight_workers_lose_nothing_and_no_counter_goes_back(place: Path, tmp_path: Path) -> None:
    """B5, B6, B4: recycling with SIGKILL at random instants."""
    acknowledged = tmp_path / "acknowledged"
    acknowledged.write_bytes(bytes(WORKERS * 8))
    scraper, choice = Scraper(place), random.Random(2026)
    with ExitStack() as stack, scraper.scraping():
        workers: list[Child] = [children.start(record_until_killed, place, acknowledged, n) for n in range(WORKERS)]
        stack.callback(close_all, workers)
        for worker in workers:
            worker.hear()
        most = 0
        for kill in range(KILLS):
            slot = kill % WORKERS
            workers[slot].kill()
            workers[slot].close()
            workers[slot] = children.start(record_until_killed, place, acknowledged, slot)
            workers[slot].hear()
            threading.Event().wait(choice.uniform(0.0, 0.1))
            most = max(most, len(segments(place)))
        for worker in workers:
            worker.kill()
    completed = sum(memoryview(acknowledged.read_bytes()).cast("Q"))
    final = gatherer_in(place).gather()
    scraper.compare(final)

    assert scraper.complaints == []
    assert scraper.scrapes > 10
    assert completed <= total(final, SECONDS) <= completed + KILLS + WORKERS
    assert completed - KILLS - WORKERS <= total(final, REQUESTS) <= completed + KILLS + WORKERS
    # Ten scrapes a second clear away what died since the last one.
    assert most <= 2 * WORKERS + 8
    assert total(final, ACTIVE) == 0
    assert value(final, names.WORKERS) == 0
    gatherer_in(place).gather()
    assert segments(place) == []


def close_all(workers: list[Child]) -> None:
    for worker in workers:
        worker.close()
