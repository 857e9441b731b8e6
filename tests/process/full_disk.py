"""Run in a mount namespace of its own: a tiny file system is mounted, filled, and recorded into. Prints what happened as JSON.

unshare --mount python -m tests.process.full_disk SCENARIO FOLDER
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from stethoscope import names
from stethoscope.store.recorder import Recorder
from tests.process.scrapes import ACTIVE, PRIVATE, get, scrape
from tests.process.scrapes import REQUESTS as SERVED
from tests.process.stores import REQUESTS, SECONDS, gatherer_in, recorder_in, segments, total, value
from tests.servers import serve

_OPTIONS = b"size=%dk,mode=700"


def mount(place: Path, size_kb: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", str(place).encode(), b"tmpfs", 0, _OPTIONS % size_kb):
        raise OSError(ctypes.get_errno(), "mount")


def fill(place: Path) -> None:
    with (place / "ballast").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


def record(recorder: Recorder, first: int, last: int) -> None:
    for number in range(first, last):
        recorder.counter(REQUESTS, (f"/{number}",)).add(1.0)
        recorder.histogram(SECONDS, (f"/{number}",)).record(0.001 * number)


def creation_fails(place: Path) -> dict[str, object]:
    """The disk is full before the first record, and has room later."""
    mount(place, 64)
    fill(place)
    recorder = recorder_in(place)
    record(recorder, 0, 300)
    seen = recorder.snapshot()
    recorder.keep_house()
    private = (total(seen, REQUESTS), total(seen, SECONDS), value(seen, names.PRIVATE_STORE))
    (place / "ballast").unlink()
    recorder.counter(REQUESTS, ("/0",)).add(1.0)
    mount(place, 4096)  # on top, so that there is room for all of it
    recorder.keep_house()
    seen = recorder.snapshot()
    published = gatherer_in(place).gather()
    return {
        "private": private,
        "after": (total(seen, REQUESTS), value(seen, names.PRIVATE_STORE)),
        "published": (total(published, REQUESTS), total(published, SECONDS)),
    }


def growth_fails(place: Path) -> dict[str, object]:
    """The disk gets full while a worker records: what it has is kept exact, what is new is counted as dropped."""
    mount(place, 512)
    recorder = recorder_in(place)
    record(recorder, 0, 20)
    fill(place)
    record(recorder, 20, 2000)
    for _ in range(10):
        record(recorder, 0, 20)
    seen = gatherer_in(place).gather()
    kept = sum(value(seen, REQUESTS, f"/{number}") for number in range(20))
    recorded = total(seen, REQUESTS) + total(seen, SECONDS)
    lost = 2 * (2000 + 200) - recorded
    (place / "ballast").unlink()
    recorder._full_until = 0.0
    record(recorder, 1999, 2000)
    return {
        "kept": kept,
        "lost as dropped": lost == total(seen, names.DROPPED_OBSERVATIONS) > 0,
        "after": value(gatherer_in(place).gather(), REQUESTS, "/1999"),
    }


def jobs_end(place: Path) -> dict[str, object]:
    """More jobs than there is room for, one after the other, and nobody who reads meanwhile."""
    mount(place, 256)
    for _ in range(20):
        job = os.fork()
        if job == 0:
            recorder_in(place).counter(REQUESTS, ("/a",)).add(1.0)
            os._exit(0)
        os.waitpid(job, 0)
    seen = gatherer_in(place).gather()
    return {"counted": value(seen, REQUESTS, "/a"), "left": len(segments(place))}


def served(place: Path) -> dict[str, object]:
    """Servers on a disk that is full before, and one that gets full."""
    mount(place, 512)
    settings = {"STETHOSCOPE_DIR": str(place)}
    found: dict[str, object] = {}
    with serve("uvicorn", "tests.process.app:app", env=settings) as early:
        get(early)
        fill(place)
        with serve("uvicorn", "tests.process.app:app", env=settings) as late:
            for server, name in ((early, "early"), (late, "late")):
                for number in range(50):
                    get(server, f"/{number}")
                seen = scrape(server)
                found[name] = (seen[SERVED], seen[ACTIVE], seen[PRIVATE], server.log().count("private memory"))
            found["codes"] = (late.stop(), early.stop())
    return found


SCENARIOS: dict[str, Callable[[Path], dict[str, object]]] = {
    "creation": creation_fails,
    "growth": growth_fails,
    "jobs": jobs_end,
    "served": served,
}

if __name__ == "__main__":
    warnings: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warnings.append(record.getMessage())

    logging.getLogger("stethoscope").addHandler(Collect())
    os.umask(0o077)
    print(json.dumps({**SCENARIOS[sys.argv[1]](Path(sys.argv[2])), "warnings": warnings}))
