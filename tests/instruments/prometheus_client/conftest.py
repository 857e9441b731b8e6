from __future__ import annotations

import logging
from collections.abc import Iterator
from weakref import WeakSet

import prometheus_client
import pytest
from prometheus_client import values as library

from stethoscope import forked
from stethoscope.instruments import prometheus_client as bridge
from stethoscope.instruments.prometheus_client import remainder, values
from stethoscope.store.recorder import Recorder
from tests.instruments.prometheus_client.reading import private_recorder


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """prometheus_client as imported by an app that has not met us, and again so after the test."""
    registry = prometheus_client.REGISTRY
    monkeypatch.setattr(library, "ValueClass", library.MutexValue)
    monkeypatch.setattr(bridge, "_waiting", WeakSet())
    monkeypatch.setattr(values, "_recorders", ())
    monkeypatch.setattr(forked, "_times", 0)
    present = set(registry._collector_to_names)
    yield
    for collector in set(registry._collector_to_names) - present:
        registry.unregister(collector)
    values.refused.clear()
    remainder._warned.clear()


@pytest.fixture
def recorder() -> Recorder:
    """Records into private memory, and has adopted the default registry."""
    recorder = private_recorder()
    bridge.adopt(recorder)
    return recorder


@pytest.fixture(autouse=True)
def warnings_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="stethoscope")
