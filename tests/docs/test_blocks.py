"""Code in the documents runs as it stands; the rule is in this package's docstring."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, Block, blocks, name

LANGUAGES = {"", "console", "dockerfile", "ini", "json", "nginx", "python", "yaml"}

# What a reader's project has, and a page does not repeat.
GIVEN = {
    "shop/__init__.py": "",
    "shop/settings.py": 'SECRET_KEY = "not secret"\nROOT_URLCONF = "shop.urls"\n',
    "shop/urls.py": "urlpatterns = []\n",
}

IMPORT_FILE = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='imported')"
APPLY_LOGGING = """
import json, logging.config, pathlib, sys
logging.config.dictConfig(json.loads(pathlib.Path(sys.argv[1]).read_text()))
"""

PYTHON = [block for page in DOCS for block in blocks(page, "python")]
JSON = [block for page in DOCS for block in blocks(page, "json")]
PROMETHEUS = [block for page in DOCS for block in blocks(page, "yaml") if "scrape_configs:" in block.text]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "STETHOSCOPE_DIR": str(folder / "segments"), "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


def write(folder: Path, file: str, text: str) -> Path:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("page", DOCS, ids=name)
def test_every_fence_names_a_language_that_the_rule_knows(page: Path) -> None:
    assert {block.language for block in blocks(page)} <= LANGUAGES


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_runs(block: Block, tmp_path: Path) -> None:
    given = GIVEN | {other.file: other.text for other in blocks(block.page, "python") if other.file}
    for file, text in given.items():
        write(tmp_path, file, text)
    path = write(tmp_path, block.file or "block.py", block.text)
    ended = run(tmp_path, *(["-c", IMPORT_FILE] if block.file else []), str(path))
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("block", JSON, ids=str)
def test_json_is_valid_and_configures_logging_where_it_says_so(block: Block, tmp_path: Path) -> None:
    if "handlers" in json.loads(block.text):
        ended = run(tmp_path, "-c", APPLY_LOGGING, str(write(tmp_path, "logging.json", block.text)))
        assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("block", PROMETHEUS, ids=str)
def test_prometheus_takes_its_configuration(block: Block, tmp_path: Path) -> None:
    path = write(tmp_path, "prometheus.yml", block.text)
    command = ["promtool", "check", "config", "--syntax-only", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
