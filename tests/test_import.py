"""What `import stethoscope` costs those who do nothing with it, seen from a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

BEFORE = """
import json, os, sys, threading
def state():
    return {
        "threads": [thread.name for thread in threading.enumerate()],
        "files": sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")),
    }
modules, before = set(sys.modules), state()
"""
AFTER = """
print(json.dumps({"before": before, "after": state(), "modules": sorted(set(sys.modules) - modules)}))
"""
INSTALL = """
import stethoscope
async def app(scope, receive, send): pass
stethoscope.install(app)
stethoscope.Stethoscope(app, token="secret-of-the-tests")
stethoscope.Counter("jobs", "Jobs.")
"""
# Parts of the standard library that take tens of milliseconds, and that an app may never use.
SLOW = {
    "asyncio",
    "concurrent",
    "email",
    "http",
    "multiprocessing",
    "sqlite3",
    "ssl",
    "subprocess",
    "unittest",
    "uuid",
    "xml",
}


@dataclass(frozen=True, slots=True)
class Traces:
    before: dict[str, list[str]]
    after: dict[str, list[str]]
    modules: set[str]
    """Top-level names of what was imported."""


def traces(code: str, folder: Path) -> Traces:
    """What running ``code`` leaves in its process, with a folder to record into that is not there yet."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BEFORE + code + AFTER],
        capture_output=True,
        check=True,
        env={"STETHOSCOPE_DIR": str(folder), "PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    found = json.loads(done.stdout)
    return Traces(found["before"], found["after"], {name.partition(".")[0] for name in found["modules"]})


@pytest.mark.parametrize("code", ["import stethoscope", INSTALL], ids=["import", "install"])
def test_no_thread_is_started_and_no_file_kept_open(code: str, tmp_path: Path) -> None:
    """B40: nor before the first record, so a process that records nothing leaves nothing behind."""
    seen = traces(code, tmp_path / "segments")
    assert seen.after == seen.before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", ["import stethoscope", "from stethoscope import install"], ids=["import", "install"])
def test_import_loads_the_standard_library_only_and_none_of_its_slow_parts(code: str, tmp_path: Path) -> None:
    loaded = traces(code, tmp_path).modules
    assert "stethoscope" in loaded
    assert loaded - sys.stdlib_module_names == {"stethoscope"}
    assert loaded & SLOW == set()


def test_wrapping_an_app_loads_no_framework_that_it_does_not_use(tmp_path: Path) -> None:
    loaded = traces(INSTALL.replace(', token="secret-of-the-tests"', ""), tmp_path).modules
    assert loaded - sys.stdlib_module_names == {"psutil", "stethoscope"}


def test_all_public_names_are_there_and_no_others() -> None:
    import stethoscope

    assert dir(stethoscope) == sorted(stethoscope.__all__)
    assert all(getattr(stethoscope, name).__name__ == name for name in stethoscope.__all__)
    with pytest.raises(AttributeError, match="module 'stethoscope' has no attribute 'Sumary'"):
        stethoscope.Sumary  # noqa: B018
