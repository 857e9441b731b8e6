"""One scrape of a busy service, and the files that it is read from; see README, "Scrape"."""

from __future__ import annotations

import math
import os
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.processes import Answer, Worker
from benchmarks.report import Floor, Result
from benchmarks.stores import DIRECTORY_VARIABLES, STORES
from benchmarks.workload import PER_SERIES, ROUTES, STATUSES, WORKERS, WrongCount
from stethoscope.store.folder import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

MODULE: Final = "benchmarks.store_worker"
SCRAPE_FLOOR: Final = 0.05
FILES_FLOOR_MB: Final = 12.0
_SHARED_MEMORY: Final = Path("/dev/shm")
_NUMBERS: Final = (SUFFIX, ".db")
"""How files with numbers are called: ours, and prometheus_client's."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Seconds of each scrape, the size of its text, and of the files with the numbers and with all else, in bytes."""

    seconds: list[float]
    text_bytes: float
    file_bytes: int
    allocated_bytes: int
    beside_bytes: int
    files: int


class Service:
    """The living workers of one contender, filled alike; the first of them is the one that is scraped."""

    def __init__(self, store: str, stack: ExitStack) -> None:
        self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=shared_memory())))
        env = {**os.environ, "STETHOSCOPE_SERVICE": "bench", DIRECTORY_VARIABLES[store]: str(self._directory)}
        self._workers = [stack.enter_context(Worker(MODULE, [store, str(n)], env)) for n in range(WORKERS)]
        self._recorded = {"requests": 0.0, "seconds": 0.0}
        self._all("fill")

    def scrape(self) -> Answer:
        """One scrape after every worker has recorded more; raises WrongCount when it is not exact."""
        self._all("touch")
        answer = self._workers[0].ask("scrape")
        for what, recorded in self._recorded.items():
            if not math.isclose(answer[what], recorded, rel_tol=1e-9):
                raise WrongCount(f"{recorded:.6f} {what} were recorded, {answer[what]:.6f} scraped")
        return answer

    def files(self) -> list[Path]:
        return [path for path in self._directory.rglob("*") if path.is_file()]

    def _all(self, command: str) -> None:
        for worker in self._workers:
            worker.begin(command)
        for worker in self._workers:
            for what, recorded in worker.finish().items():
                self._recorded[what] += recorded


def shared_memory() -> Path | None:
    """tmpfs for both, so that no disk is part of the comparison."""
    return _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None


def measure(stores: Sequence[str], rounds: int) -> dict[str, Readings]:
    """Interleaved rounds of one scrape per contender, all workers of all contenders alive."""
    with ExitStack() as stack:
        services = {store: Service(store, stack) for store in stores}
        answers: dict[str, list[Answer]] = {store: [] for store in stores}
        for _ in range(rounds):
            for store, service in services.items():
                answers[store].append(service.scrape())
        return {store: _readings(answers[store], services[store].files()) for store in stores}


def _readings(answers: Sequence[Answer], files: Sequence[Path]) -> Readings:
    numbers = [file.stat() for file in files if file.name.endswith(_NUMBERS)]
    others = [file.stat() for file in files if not file.name.endswith(_NUMBERS)]
    return Readings(
        seconds=[answer["processor_seconds"] for answer in answers],
        text_bytes=answers[-1]["bytes"],
        file_bytes=sum(file.st_size for file in numbers),
        allocated_bytes=sum(file.st_blocks for file in numbers) * 512,
        beside_bytes=sum(file.st_blocks for file in others) * 512,
        files=len(numbers),
    )


def run(rounds: int, stores: Sequence[str] = tuple(STORES)) -> Result:
    readings = measure(stores, rounds)
    return Result(
        name="scrape",
        floors=_floors(readings),
        columns=(
            "store",
            "scrape ms",
            "first ms",
            "min–max ms",
            "text MB",
            "files",
            "files MB",
            "allocated MB",
            "beside MB",
        ),
        rows=[_row(store, found) for store, found in readings.items()],
        readings={store: found.seconds for store, found in readings.items()},
        note=f"{WORKERS} living workers × {ROUTES} routes × {len(STATUSES)} statuses, {PER_SERIES} requests per series "
        f"and worker; median of {rounds} scrapes, each after every worker has recorded in every series.",
    )


def _floors(readings: dict[str, Readings]) -> list[Floor]:
    ours, theirs = readings["stethoscope"], readings["prometheus_client"]
    ratios = [own / other for own, other in zip(ours.seconds, theirs.seconds, strict=True)]
    return [
        Floor(
            "scrape ÷ prometheus_client multiprocess",
            SCRAPE_FLOOR,
            statistics.median(ours.seconds) / statistics.median(theirs.seconds),
            spread=f"{min(ratios):.3g}–{max(ratios):.3g}",
        ),
        Floor("memory of all segments", FILES_FLOOR_MB, ours.allocated_bytes / 1e6, " MB"),
    ]


def _row(store: str, found: Readings) -> tuple[str, ...]:
    return (
        store,
        f"{statistics.median(found.seconds) * 1e3:.1f}",
        f"{found.seconds[0] * 1e3:.1f}",
        f"{min(found.seconds) * 1e3:.1f}–{max(found.seconds) * 1e3:.1f}",
        f"{found.text_bytes / 1e6:.2f}",
        str(found.files),
        f"{found.file_bytes / 1e6:.2f}",
        f"{found.allocated_bytes / 1e6:.2f}",
        f"{found.beside_bytes / 1e6:.2f}",
    )
