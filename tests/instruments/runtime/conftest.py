from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stethoscope.instruments.runtime.worker import Worker
from tests.instruments.waiting import until
from tests.middleware.scripted import Records


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path)


@pytest.fixture
def worker(records: Records) -> Iterator[Worker]:
    """Its watchdog is gone at the end, as no loop of the test's runs any more."""
    worker = Worker(records.recorder)
    yield worker
    until(lambda: not worker.is_guarded, "the end of the watchdog")
