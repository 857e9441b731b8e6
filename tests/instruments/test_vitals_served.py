"""Vitals of real servers: of each worker, and of the machine once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
import pytest

from stethoscope.names import STALLS
from stethoscope.store.folder import Folder
from stethoscope.store.notes import Note, read_notes
from tests.instruments.apps.vital import BLOCKED_SECONDS, SERVICE, TOKEN
from tests.instruments.waiting import until
from tests.scrape import Samples, parse, total
from tests.servers import ROOT, Kind, Server, serve

APP = "tests.instruments.apps.vital:app"
SOURCE = "tests/instruments/apps/vital.py"
LOOPS: dict[Kind, str] = {
    "uvicorn": "uvloop",
    "uvicorn-h11-asyncio": "asyncio",
    "hypercorn-trio": "trio",
    "gunicorn-preload": "uvloop",
}
ID = "followed-by-a-test"


def scrape(server: Server) -> Samples:
    answer = httpx.get(f"{server.url}/_stethoscope/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    return parse(answer.text)


def scrape_until(server: Server, name: str, **labels: str) -> Samples:
    """Scrapes until a series that is sampled is there."""

    def look() -> Samples | None:
        samples = scrape(server)
        return samples if total(samples, name, **labels) > 0 else None

    return until(look, name)


def stalls(place: Path) -> list[Note]:
    return read_notes(Folder(str(place / SERVICE)), STALLS)


def line_that_blocks() -> int:
    lines = (ROOT / SOURCE).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.endswith("# the line that blocks"))


@pytest.mark.parametrize("kind", LOOPS)
def test_blocked_loop_is_found_with_its_line_and_nothing_is_left_or_printed(kind: Kind, tmp_path: Path) -> None:
    with serve(kind, APP, env={"STETHOSCOPE_DIR": str(tmp_path)}) as server:
        worker = int(httpx.get(server.url).text)
        httpx.get(f"{server.url}/block", headers={"x-request-id": ID})
        (note,) = until(lambda: stalls(tmp_path), "a note of the stall")
        httpx.get(f"{server.url}/collect")
        httpx.get(f"{server.url}/thread")
        samples = scrape_until(server, "stethoscope_anyio_threads_limit")
        samples = scrape_until(server, "stethoscope_gc_pause_duration_seconds_count", cpython_gc_generation="2")
        assert server.stop() in (0, -signal.SIGTERM)
        assert server.log() == ""
    place = f"{SOURCE}:{line_that_blocks()} in block"
    assert note.content["where"] == place
    assert (note.content["request_id"], note.content["worker"]) == (ID, worker)
    least, most = note.content["seconds_at_least"], note.content["seconds_at_most"]
    assert isinstance(least, float)
    assert isinstance(most, float)
    assert least <= BLOCKED_SECONDS + 0.2
    assert most >= BLOCKED_SECONDS - 0.001
    loop = LOOPS[kind]
    assert total(samples, "stethoscope_event_loop_stalls_total", event_loop=loop) >= 1
    lags = samples["stethoscope_event_loop_lag_seconds_bucket"]
    slow = lags[(("event_loop", loop), ("le", "+Inf"))] - lags[(("event_loop", loop), ("le", "0.1"))]
    assert slow >= 1  # a lag between 0.3 and 0.4 seconds, and the timers that were missed
    assert total(samples, "cpython_gc_collections_total", cpython_gc_generation="2") >= 1
    assert total(samples, "stethoscope_gc_pause_duration_seconds_sum", cpython_gc_generation="2") > 0
    assert total(samples, "stethoscope_anyio_threads_limit") == 40
    assert total(samples, "stethoscope_event_loop_tasks") > 0
    assert total(samples, "stethoscope_worker_starts_total") == 1


def test_each_worker_has_its_own_numbers_and_the_machine_is_there_once(tmp_path: Path) -> None:
    with serve("uvicorn", APP, workers=2, env={"STETHOSCOPE_DIR": str(tmp_path)}) as server:
        workers: set[str] = set()

        def asked() -> bool:
            workers.add(httpx.get(server.url).text)
            return len(workers) == 2

        until(asked, "answers of both workers")

        def both() -> Samples | None:
            samples = scrape(server)
            done = total(samples, "system_memory_limit_bytes") and total(samples, "stethoscope_cpu_utilization_ratio")
            return samples if done and len(samples.get("process_memory_usage_bytes", {})) == 2 else None

        samples = until(both, "samples of both workers")
        resident = samples["process_memory_usage_bytes"]
        for labels, value in resident.items():
            pid = dict(labels)["pid"]
            workers.remove(pid)
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            assert value == pytest.approx(pages * os.sysconf("SC_PAGE_SIZE"), rel=0.2)
        assert total(samples, "stethoscope_worker_starts_total") == 2
        assert total(samples, "system_cpu_logical_count") == os.cpu_count()
        assert len(samples["system_memory_limit_bytes"]) == 1
        assert 0 < total(samples, "stethoscope_memory_utilization_ratio") < 1
        assert total(samples, "process_cpu_time_seconds_total") > 0
        assert total(samples, "process_thread_count") >= 2
        assert total(samples, "process_unix_file_descriptor_count") > 0
