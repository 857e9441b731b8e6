"""What holds for every test: settings of whoever runs the tests do not reach them."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import pytest

from tests.postgresql import Cluster, cluster

for name in [key for key in os.environ if key.startswith(("STETHOSCOPE_", "OTEL_"))]:
    del os.environ[name]

# Apps and recorders of all tests of a process stay open until its end.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL that all tests of a process share."""
    with cluster() as running:
        yield running
