from __future__ import annotations

import pytest

from stethoscope.instruments import definitions, labelled, recording
from stethoscope.store import registry
from stethoscope.store.recorder import Recorder


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """The default recorder, into private memory, of a process in which no metric is defined yet."""
    recorder = Recorder("own", lambda: None)
    monkeypatch.setattr(registry, "_default", recorder)
    monkeypatch.setattr(registry, "_provisional", None)
    monkeypatch.setattr(registry, "_recorders", {})
    monkeypatch.setattr(definitions, "_defined", {})
    monkeypatch.setattr(definitions, "_taken", {})
    monkeypatch.setattr(labelled, "_made", {})
    monkeypatch.setattr(recording, "_reported", set())
    return recorder
