"""What holds for every test: settings of whoever runs the tests do not reach them."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Iterator

import hypothesis
import pytest

from stethoscope import hot
from stethoscope.instruments.runtime.collector import Runs, RunsPlainly
from stethoscope.store.recorder import _recorders as living_recorders
from tests.postgresql import Cluster, cluster

for name in [key for key in os.environ if key.startswith(("STETHOSCOPE_", "OTEL_")) and key != "STETHOSCOPE_PURE"]:
    del os.environ[name]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--hot-path", choices=["compiled", "plain"], help="fail unless this one is what the tests run")


def pytest_configure(config: pytest.Config) -> None:
    wanted, found = config.getoption("--hot-path"), "compiled" if hot.COMPILED else "plain"
    if wanted not in (None, found):
        raise pytest.UsageError(f"the hot path must be {wanted} and is {found}: `make compile`, or STETHOSCOPE_PURE=1")


def pytest_runtest_teardown() -> None:
    """The recorders of a test outlive it: a thousand of them that each watch this process would be all it does."""
    for recorder in list(living_recorders):
        recorder.chores.clear()
    gc.callbacks[:] = [one for one in gc.callbacks if not isinstance(one, (Runs, RunsPlainly))]


# How long an example takes says what else the machine does.
hypothesis.settings.register_profile("stethoscope", deadline=None)
hypothesis.settings.load_profile("stethoscope")

# Apps and recorders of all tests of a process stay open until its end.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL that all tests of a process share."""
    with cluster() as running:
        yield running
