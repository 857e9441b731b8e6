"""A folder in shared memory for each test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def place() -> Iterator[Path]:
    """A private folder on the file system that the store uses by default."""
    path = Path(tempfile.mkdtemp(prefix="stethoscope-test-", dir="/dev/shm"))
    yield path
    shutil.rmtree(path, ignore_errors=True)
