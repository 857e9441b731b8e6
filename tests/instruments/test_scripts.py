"""Metrics of the user's own in scripts and job workers: no app, no middleware, many processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import cast

import httpx
import pytest

import stethoscope
from stethoscope.names import Merge
from stethoscope.store.distribution import Distribution
from stethoscope.store.snapshot import Snapshot
from tests.servers import ROOT, serve

SERVICE = "jobs"
PATIENCE = 60


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where scripts and the test find each other."""
    monkeypatch.setenv("STETHOSCOPE_DIR", str(tmp_path / "store"))
    return tmp_path / "store"


def run(script: str, tmp_path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a Python of its own, as someone would from a shell. It must not write warnings or errors.

    But for one: from Python 3.12 on a process that forks is warned of its threads, and ours keeps house in one.
    """
    quiet = {"PYTHONWARNINGS": "ignore:This process:DeprecationWarning"}
    path = tmp_path / "script.py"
    path.write_text(f"import stethoscope\n{script}")
    ended = subprocess.run(
        [sys.executable, str(path)],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "STETHOSCOPE_SERVICE": SERVICE,
            **os.environ,
            **quiet,
            **env,
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.stderr == ""
    return ended


def value(snapshot: Snapshot, name: str, *labels: str) -> float:
    """A number, or a histogram's count."""
    (found,) = [one.value for one in snapshot.families[name].series if one.labels == labels]
    return found.count if isinstance(found, Distribution) else found


COUNT = """
done = stethoscope.Counter("jobs_done_total", "Jobs.", ["kind"])
took = stethoscope.Histogram("job_size", "Sizes.")
done.labels("mail").inc(3)
took.observe(2)
with stethoscope.timer("work"):
    pass
"""

ENDINGS = {
    "returns": ("", 0),
    "sys.exit": ("import sys; sys.exit(3)", 3),
    "os._exit": ("import os; os._exit(4)", 4),
    "SIGKILL": ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
    "SIGTERM": ("import os; os.kill(os.getpid(), 15)", -signal.SIGTERM),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_a_script_counted_is_there_however_it_ended(ending: str, store: Path, tmp_path: Path) -> None:
    """B24."""
    script, code = ENDINGS[ending]
    for _ in range(2):
        assert run(COUNT + script, tmp_path).returncode == code
    snapshot = stethoscope.snapshot(SERVICE)
    assert value(snapshot, "jobs_done", "mail") == 6
    assert value(snapshot, "job_size") == 2
    assert value(snapshot, "stethoscope_timer_duration_seconds", "work", "") == 2
    assert snapshot.workers == ()


def test_what_a_script_counted_is_in_the_scrape_of_the_app_of_that_service(store: Path, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    env = {"STETHOSCOPE_DIR": str(store), "STETHOSCOPE_SERVICE": SERVICE, "STETHOSCOPE_TOKEN": "a-good-token"}
    with serve("uvicorn", "shop:app", env=env, cwd=tmp_path) as server:
        run(COUNT, tmp_path)
        page = httpx.get(f"{server.url}/_stethoscope/metrics", headers={"Authorization": "Bearer a-good-token"})
    assert 'jobs_done_total{kind="mail"} 3.0\n' in page.text
    assert "job_size_count 1\n" in page.text


APP = """
import stethoscope

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})

app = stethoscope.install(app)
"""


def test_the_service_can_be_named_as_opentelemetry_does(store: Path, tmp_path: Path) -> None:
    run(COUNT, tmp_path, STETHOSCOPE_SERVICE="", OTEL_SERVICE_NAME="billing")
    assert value(stethoscope.snapshot("billing"), "jobs_done", "mail") == 3
    assert "jobs_done" not in stethoscope.snapshot(SERVICE).families


def test_a_script_that_records_nothing_leaves_nothing_behind(store: Path, tmp_path: Path) -> None:
    """B40."""
    ended = run(DEFINE_ONLY, tmp_path)
    assert ended.stdout == "1 thread\n"
    assert not store.exists()


DEFINE_ONLY = """
import threading

done = stethoscope.Counter("jobs_done_total", "Jobs.")
stethoscope.Gauge("queued", "Queued.", ["queue"]).labels("fast").track_inprogress()

@stethoscope.timer("work")
@stethoscope.Histogram("size", "Sizes.").time()
@done.count_exceptions()
def work(): pass

print(threading.active_count(), "thread")
"""


def test_forked_children_and_their_parent_count_each_for_themselves(store: Path, tmp_path: Path) -> None:
    """A16."""
    run(FORK, tmp_path)
    snapshot = stethoscope.snapshot(SERVICE)
    assert value(snapshot, "jobs_done") == 10 + 5 * 1000
    assert value(snapshot, "job_size") == 1 + 5 * 1000
    assert value(snapshot, "stethoscope_timer_duration_seconds", "work", "") == 5 * 1000


FORK = """
import os

done = stethoscope.Counter("jobs_done_total", "Jobs.")
size = stethoscope.Histogram("job_size", "Sizes.")
done.inc(10)
size.observe(1)

def work():
    for number in range(1000):
        done.inc()
        size.observe(number)
        with stethoscope.timer("work"): pass

children = []
for _ in range(4):
    child = os.fork()
    if not child:
        work()
        os._exit(0)
    children.append(child)
work()
for child in children:
    os.waitpid(child, 0)
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_count_too(method: str, store: Path, tmp_path: Path) -> None:
    run(MULTIPROCESSING.replace("METHOD", method), tmp_path)
    snapshot = stethoscope.snapshot(SERVICE)
    assert value(snapshot, "jobs_done", "child") == 300
    assert value(snapshot, "jobs_done", "parent") == 1
    assert snapshot.workers == ()


MULTIPROCESSING = """
import multiprocessing

done = stethoscope.Counter("jobs_done_total", "Jobs.", ["where"])

def work(times):
    for _ in range(times):
        done.labels("child").inc()

if __name__ == "__main__":
    done.labels("parent").inc()
    context = multiprocessing.get_context("METHOD")
    children = [context.Process(target=work, args=(100,)) for _ in range(3)]
    for child in children: child.start()
    for child in children: child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
"""


def test_quantiles_are_of_all_processes(store: Path, tmp_path: Path) -> None:
    answers = json.loads(run(QUANTILES, tmp_path).stdout)
    assert answers == pytest.approx([100, 299, 299], rel=0.01)


QUANTILES = """
import json, os

size = stethoscope.Histogram("job_size", "Sizes.", ["kind"])
for base in (0, 100, 200):
    if not (child := os.fork()):
        for number in range(100):
            size.labels(base).observe(base + number)
        os._exit(0)
    os.waitpid(child, 0)
print(json.dumps([size.quantile(1 / 3), size.quantile(1.0), size.labels(200).quantile(1.0)]))
"""


@pytest.fixture(scope="module")
def gauges(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, list[list[object]]]]:
    """Series by mode, as a list of values and pids: while workers live that set 5, 2 and 3, and after two were killed."""
    tmp_path = tmp_path_factory.mktemp("gauges")
    seen: list[dict[str, list[list[object]]]] = json.loads(
        run(GAUGES, tmp_path, STETHOSCOPE_DIR=str(tmp_path / "store")).stdout
    )
    return seen


GAUGES = """
import json, os, signal

MODES = "all liveall sum livesum min livemin max livemax mostrecent livemostrecent".split()
gauges = {mode: stethoscope.Gauge(mode, "Modes.", multiprocess_mode=mode) for mode in MODES}

def living(number):
    ready, done = os.pipe()
    if not (child := os.fork()):
        for gauge in gauges.values(): gauge.set(number)
        os.write(done, b"!")
        signal.pause()
    os.read(ready, 1)
    return child

def seen():
    families = stethoscope.snapshot().families
    return {mode: [[one.value, children.index(one.pid) if one.pid else None] for one in families[mode].series] for mode in MODES}

def kill(child):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

children = [living(number) for number in (5, 2, 3)]
left = list(children)
try:
    before = seen()
    while len(left) > 1:
        kill(left.pop())
    after = seen()
finally:
    for child in left:
        kill(child)
print(json.dumps([before, after]))
"""


@pytest.mark.parametrize(
    ("mode", "before", "after"),
    [
        ("sum", 10, 10),
        ("livesum", 10, 5),
        ("min", 2, 2),
        ("livemin", 2, 5),
        ("max", 5, 5),
        ("livemax", 5, 5),
        ("mostrecent", 3, 3),
        ("livemostrecent", 3, 5),
    ],
)
def test_a_gauge_of_several_workers_is_merged_by_its_mode(
    mode: str, before: float, after: float, gauges: list[dict[str, list[list[object]]]]
) -> None:
    assert [seen[mode] for seen in gauges] == [[[before, None]], [[after, None]]]


@pytest.mark.parametrize("mode", ["all", "liveall"])
def test_a_gauge_that_is_not_merged_is_told_apart_by_pid_and_only_for_the_living(
    mode: str, gauges: list[dict[str, list[list[object]]]]
) -> None:
    before, after = (sorted(cast(list[list[int]], seen[mode])) for seen in gauges)
    assert before == [[2, 1], [3, 2], [5, 0]]
    assert after == [[5, 0]]


def test_all_modes_were_tried(gauges: list[dict[str, list[list[object]]]]) -> None:
    assert gauges[0].keys() == set(Merge)


def test_the_snapshot_of_an_unknown_service_is_empty(store: Path) -> None:
    snapshot = stethoscope.snapshot("nobody")
    assert (snapshot.service, snapshot.workers) == ("nobody", ())
    assert all(name.startswith("stethoscope_") for name in snapshot.families)


def test_reading_another_service_makes_no_worker_of_the_reader(store: Path, tmp_path: Path) -> None:
    ended = run(READ_ONLY, tmp_path, STETHOSCOPE_SERVICE="")
    assert ended.stdout == "() 1 thread\n"
    assert not (store / SERVICE).exists()
    assert not (store / "jobs").exists()


READ_ONLY = """
import threading
print(stethoscope.snapshot("jobs").workers, threading.active_count(), "thread")
"""
