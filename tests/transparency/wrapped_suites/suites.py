"""Which suites are run, where their sources come from, and one run of them in a process of its own.

Sources are downloaded by name from the package index, in the version that is installed, and kept in the
user's cache folder; nothing of them is part of this repository.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

RUN_LIMIT_SECONDS = 900.0
TRANSPARENCY_FOLDER = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Suite:
    """A distribution that carries its tests, and files or tests that are left out, with the reason."""

    name: str
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The version that is installed here: its own tests are the ones that fit."""
        return importlib.metadata.version(self.name)


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a suite gave: the outcome of each test, the scopes that went through a seam by type."""

    outcomes: dict[str, str]
    scopes: dict[str, int]

    @property
    def failed(self) -> set[str]:
        """Tests that failed, in any phase."""
        return {test for test, outcome in self.outcomes.items() if outcome == "failed"}


def cache_folder() -> Path:
    """A folder of the user's own: what is in it gets executed."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "stethoscope-tests"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def sources(suite: Suite) -> Path:
    """The unpacked source distribution, downloaded at most once per version."""
    target = cache_folder() / f"{suite.name}-{suite.version}"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
            archive = download(suite, Path(folder))
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
            try:
                archive.with_name(target.name).rename(target)
            except OSError:  # another process has just done the same
                if not target.exists():
                    raise
    return target


def download(suite: Suite, folder: Path) -> Path:
    requirement = f"{suite.name}=={suite.version}"
    command = ["download", "--quiet", "--no-deps", "--no-binary", suite.name, "--dest", str(folder), requirement]
    subprocess.run([sys.executable, "-m", "pip", *command], check=True)
    [archive] = folder.glob("*.tar.gz")
    return archive


def run_suite(suite: Suite, mode: str, *tests: str) -> Run:
    """Run the suite, or only the named tests of it, in a pytest of its own."""
    with tempfile.TemporaryDirectory() as report:
        command = [sys.executable, "-m", "pytest", *pytest_arguments(suite), *(tests or ["tests"])]
        ended = subprocess.run(
            command,
            cwd=sources(suite),
            env=environment(mode, report),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_LIMIT_SECONDS,
            check=False,
        )
        if ended.returncode not in (0, 1):
            raise RuntimeError(f"{suite.name} did not run ({ended.returncode}):\n{ended.stdout[-4000:]}")
        return read_report(Path(report))


def pytest_arguments(suite: Suite) -> list[str]:
    # Other people's suites are not written for random order.
    quiet = ["-q", "-n", "2", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "wrapped_suites.plugin"]
    # A whole file is left out before it is imported, a test after it was collected.
    return [*quiet, *(f"{'--deselect' if '::' in test else '--ignore'}={test}" for test in suite.left_out)]


def environment(mode: str, report: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return {
        **inherited,
        "PYTHONPATH": str(TRANSPARENCY_FOLDER),
        "STETHOSCOPE_DIR": f"{report}/segments",
        "WRAPPED_SUITES_MODE": mode,
        "WRAPPED_SUITES_REPORT": report,
    }


def read_report(folder: Path) -> Run:
    scopes: Counter[str] = Counter()
    for part in folder.glob("scopes-*.json"):
        scopes.update(json.loads(part.read_text()))
    return Run(json.loads((folder / "outcomes.json").read_text()), dict(scopes))
