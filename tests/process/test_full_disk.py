"""A full disk costs what was not recorded yet, and never a worker."""

from __future__ import annotations

import json
import mmap
import os
import resource
import signal
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from stethoscope import names
from tests.process.children import running
from tests.process.stores import REQUESTS, recorder_in, value
from tests.servers import ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small file system")


def outcome(scenario: str, folder: Path) -> dict[str, Any]:
    command = ["unshare", "--mount", sys.executable, "-m", "tests.process.full_disk", scenario, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    # It would be -7, SIGBUS, if a page of a mapping were written to that the file system had no room for.
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def test_a_disk_that_is_full_at_the_start_means_private_memory_until_there_is_room(tmp_path: Path) -> None:
    """A2: creation fails; one warning; published within a housekeeping step once there is room."""
    seen = outcome("creation", tmp_path)
    assert seen["private"] == [300, 300, 1]
    assert seen["after"] == [301, 0]
    assert seen["published"] == [301, 300]
    private, windows = seen["warnings"]
    assert "private memory" in private
    assert "No space left on device" in private
    assert "windows" in windows


def record_in_little_address_space(pipe: Connection, place: Path, size: int) -> None:
    recorder = recorder_in(place)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (used + size, resource.RLIM_INFINITY))
    recorder.counter(REQUESTS, ("/a",)).add(1.0)
    seen = recorder.snapshot()
    pipe.send((value(seen, REQUESTS, "/a"), value(seen, names.PRIVATE_STORE)))


@pytest.mark.parametrize("size", [64 << 20, 12 << 20])
def test_a_limit_on_address_space_leaves_room_for_fewer_series_and_raises_nothing(size: int, place: Path) -> None:
    """A5: ulimit -v."""
    with running(record_in_little_address_space, place, size) as child:
        assert child.hear() == (1, 0)


def test_a_disk_that_gets_full_costs_new_series_only_and_says_how_much(tmp_path: Path) -> None:
    """A2: growth fails."""
    seen = outcome("growth", tmp_path)
    assert seen["kept"] == 20 + 200
    assert seen["lost as dropped"] is True
    assert seen["after"] == 1
    (warning,) = seen["warnings"]
    assert "cannot grow" in warning


def test_a_disk_that_is_full_of_ended_jobs_has_room_for_the_next(tmp_path: Path) -> None:
    """A2, B6: each reserves more than it uses, and folding them needs room as well."""
    seen = outcome("jobs", tmp_path)
    assert seen["counted"] == 20
    assert seen["left"] == 0
    assert seen["warnings"] == []


def test_servers_go_on_answering_on_a_full_disk(tmp_path: Path) -> None:
    """A2: exit codes, answers and numbers of real servers."""
    seen = outcome("served", tmp_path)
    assert seen["early"] == [51, 0, 0, 0]
    assert seen["late"] == [50, 0, 1, 1]
    # uvicorn ends by the signal that it was sent.
    assert seen["codes"] == [-signal.SIGTERM] * 2
