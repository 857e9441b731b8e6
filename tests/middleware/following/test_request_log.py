"""The file of JSON lines: whole lines of all workers, rotated by size and by day, and cleared away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stethoscope.middleware.following.request_log import MOST_DAYS, MOST_FILES, RequestLog
from tests.servers import ROOT

NOON = 1_795_608_000.0
DAY = 86_400.0


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def log_at(path: Path, clock: Clock, most_bytes: int = 1000) -> RequestLog:
    return RequestLog(str(path), most_bytes=most_bytes, clock=clock)


def set_time(path: Path, when: float) -> None:
    os.utime(path, (when, when))


def test_file_is_made_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    log_at(path, Clock()).append(b"{}\n")
    assert path.read_bytes() == b"{}\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_file_that_would_become_too_large_is_rotated_before(tmp_path: Path) -> None:
    path, clock = tmp_path / "requests.jsonl", Clock()
    log = log_at(path, clock)
    for number in range(3):
        log.append(b"%d" % number * 600 + b"\n")
        set_time(path, NOON)
    assert files(tmp_path) == [
        "requests.jsonl",
        "requests.jsonl.2026-11-25T12-00-00",
        "requests.jsonl.2026-11-25T12-00-00-2",
    ]
    assert path.read_bytes() == b"2" * 600 + b"\n"


def test_new_day_begins_a_new_file(tmp_path: Path) -> None:
    path, clock = tmp_path / "requests.jsonl", Clock()
    log = log_at(path, clock)
    log.append(b"yesterday\n")
    set_time(path, NOON)
    clock.now += DAY
    log.append(b"today\n")
    assert path.read_bytes() == b"today\n"
    assert (tmp_path / "requests.jsonl.2026-11-26T12-00-00").read_bytes() == b"yesterday\n"


def test_old_files_are_removed_and_foreign_ones_stay(tmp_path: Path) -> None:
    path, clock = tmp_path / "requests.jsonl", Clock()
    (tmp_path / "requests.jsonl.bak").touch()
    for number in range(MOST_FILES + 5):
        old = tmp_path / f"requests.jsonl.2026-11-24T00-00-{number:02}"
        old.touch()
        set_time(old, NOON - DAY + number)
    ancient = tmp_path / "requests.jsonl.2026-10-01T00-00-00"
    ancient.touch()
    set_time(ancient, NOON - (MOST_DAYS + 1) * DAY)
    log = log_at(path, clock, most_bytes=10)
    log.append(b"one line\n")
    set_time(path, NOON)
    log.append(b"another\n")
    kept = [name for name in files(tmp_path) if name not in ("requests.jsonl", "requests.jsonl.bak")]
    assert len(kept) == MOST_FILES
    assert kept[0] == "requests.jsonl.2026-11-24T00-00-06"
    assert (tmp_path / "requests.jsonl.bak").exists()


def test_disk_that_is_full_is_an_error_and_the_next_line_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "requests.jsonl"
    log = log_at(path, Clock())
    write = os.write

    def half(descriptor: int, data: memoryview) -> int:
        monkeypatch.setattr(os, "write", full)
        return write(descriptor, data[:4])

    def full(descriptor: int, data: memoryview) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space"):
        log.append(b'{"a":1}\n')
    monkeypatch.setattr(os, "write", write)
    set_time(path, NOON)
    log.append(b'{"b":2}\n')
    assert path.read_bytes() == b'{"a"\n{"b":2}\n'


WRITER = """
import json, sys
from stethoscope.middleware.following.request_log import RequestLog
log = RequestLog(sys.argv[1], most_bytes=20_000)
for number in range(200):
    log.append(b"".join(json.dumps([int(sys.argv[2]), number, part, "x" * 50]).encode() + b"\\n" for part in range(3)))
"""


def test_workers_that_write_and_rotate_at_once_lose_and_tear_nothing(tmp_path: Path) -> None:
    """Four processes, and a file for some ten of their writes. None is removed: there is room for all."""
    path = tmp_path / "requests.jsonl"
    code = WRITER.replace("most_bytes=20_000", "most_bytes=20_000 if False else 30_000")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(one)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        for one in range(4)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]
    names = files(tmp_path)
    assert 2 <= len(names) <= MOST_FILES + 1
    lines = [json.loads(line) for name in names for line in (tmp_path / name).read_text().splitlines()]
    assert len(lines) == len({tuple(line) for line in lines}) == 4 * 200 * 3
