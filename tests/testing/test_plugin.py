"""The plugin, in a run of pytest of its own that finds it by its entry point, as an installed one is found."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from stethoscope.testing.mark import Mark, MarkError, read
from tests.servers import ROOT

PROJECT: Final = Path(__file__).with_name("project.py")
NAMES: Final = re.findall(r"def (test_\w+)", PROJECT.read_text())
CONFTEST: Final = """
import json, os

def pytest_runtest_logreport(report):
    if report.outcome != "passed" or report.when == "call":
        with open("reports", "a") as file:
            print(json.dumps([report.location[2].rpartition(".")[2], report.outcome, report.longreprtext]), file=file)
"""
PLAIN: Final = """
import sys

def test_plain(request):
    assert "stethoscope.testing.plugin" in sys.modules
    assert not {"sqlalchemy", "stethoscope.instruments.sqlalchemy.listening"} & sys.modules.keys()
    assert not request.config.pluginmanager.has_plugin("stethoscope-checks")
"""

Reports = Mapping[str, tuple[str, str]]


def run(folder: Path, tests: str) -> Reports:
    """How each test ended, and what was said of it, in an environment in which the plugin is installed."""
    installed = folder / "installed" / "stethoscope_plugin-1.dist-info"
    installed.mkdir(parents=True)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    entries = "".join(f"{name} = {target}\n" for name, target in declared.items())
    (installed / "entry_points.txt").write_text(f"[pytest11]\n{entries}")
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: stethoscope-plugin\nVersion: 1\n")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers -p no:randomly -p no:cacheprovider\n")
    (folder / "test_it.py").write_text(tests)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{installed.parent}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode in (0, 1), ended.stdout
    reports = [json.loads(line) for line in (folder / "reports").read_text().splitlines()]
    return {name: (outcome, text) for name, outcome, text in reports}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """Of all tests of the project."""
    return run(tmp_path_factory.mktemp("project"), PROJECT.read_text())


@pytest.mark.xdist_group("plugin")
@pytest.mark.parametrize("name", NAMES)
def test_each_test_ends_as_its_name_says(reports: Reports, name: str) -> None:
    outcome, text = reports[name]
    assert outcome.startswith(name.rpartition("_")[2].removesuffix("es").removesuffix("s")), text


@pytest.mark.xdist_group("plugin")
def test_what_failed_is_said_with_figures_lines_and_cures(reports: Reports) -> None:
    _, text = reports["test_orm_fails"]
    expected = [
        r"8 queries were sent, in .* ms; max_queries=3 allows 3\. The most frequent first:",
        r"    7 × SELECT item\.id.* FROM item WHERE \? = item\.order_id",
        r"        .* ms, fingerprint [0-9a-f]+, lazy load of Order\.items",
        r"        7 × at test_it\.py:\d+ in one_by_one",
        r"    1 × SELECT orders\.id FROM orders",
        r"        .* ms, fingerprint [0-9a-f]+",
        r"        1 × at test_it\.py:\d+ in one_by_one",
        r"",
        r"N\+1: Order\.items was loaded for each object on its own: 7 queries in one test, .* ms",
        r"  cure:  Load it with its owners: add \.options\(selectinload\(Order\.items\)\) .*",
        r"  line:  test_it\.py:\d+ in one_by_one",
        r"  query: SELECT item\.id.* \(fingerprint [0-9a-f]+\)",
    ]
    for line, pattern in zip(text.splitlines(), expected, strict=True):
        assert re.fullmatch(pattern, line), line


@pytest.mark.xdist_group("plugin")
def test_requests_are_told_apart_and_all_count(reports: Reports) -> None:
    assert reports["test_all_requests_count_so_it_fails"][1].startswith("6 queries were sent, ")
    assert reports["test_request_with_one_fails"][1].startswith("N+1: Order.items was loaded for each object")
    assert reports["test_app_that_nobody_watches_fails"][1].startswith("8 queries were sent, ")


@pytest.mark.xdist_group("plugin")
def test_a_tests_own_failure_is_its_own(reports: Reports) -> None:
    _, text = reports["test_for_a_reason_of_its_own_fails"]
    assert "AssertionError: its own reason" in text
    assert "queries were sent" not in text


@pytest.mark.xdist_group("plugin")
def test_a_bad_mark_is_an_error_of_its_test(reports: Reports) -> None:
    _, text = reports["test_with_a_bad_mark_fails"]
    assert text.endswith(
        "test_with_a_bad_mark_fails: @pytest.mark.stethoscope(max_queries=…, no_n_plus_one=True) is what is accepted, "
        "got max_querys=3"
    )


def test_a_run_without_marks_imports_and_listens_to_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, PLAIN) == {"test_plain": ("passed", "")}


def test_mark_takes_what_it_says() -> None:
    assert read((), {"max_queries": 0}) == Mark(0)
    assert read((), {"max_queries": 3, "no_n_plus_one": True}) == Mark(3, True)


@pytest.mark.parametrize(
    ("positional", "named", "told"),
    [
        ((), {}, "neither: it would check nothing"),
        ((3,), {}, "3 without a name"),
        ((), {"max_queries": -1}, "max_queries=-1: expected a whole number from 0 on"),
        ((), {"max_queries": True}, "max_queries=True: expected a whole number from 0 on"),
        ((), {"max_queries": "3"}, "max_queries='3': expected a whole number from 0 on"),
        ((), {"no_n_plus_one": 1}, "no_n_plus_one=1: expected True or False"),
        ((), {"queries": 1, "no_n_plus_one": None}, "queries=1, no_n_plus_one=None: expected True or False"),
    ],
)
def test_mark_says_what_is_wrong(positional: tuple[object, ...], named: dict[str, object], told: str) -> None:
    with pytest.raises(MarkError) as raised:
        read(positional, named)
    assert str(raised.value).endswith(f"is what is accepted, got {told}")
