from __future__ import annotations

from dataclasses import replace

from stethoscope.store.distribution import Distribution
from stethoscope.store.recorder import Recorder
from stethoscope.store.snapshot import Family, Snapshot


def private_recorder() -> Recorder:
    return Recorder("test", lambda: None)


def family(recorder: Recorder, name: str) -> Family:
    return recorder.snapshot().families[name]


def number(recorder: Recorder, name: str, *labels: str) -> float:
    (value,) = (series.value for series in family(recorder, name).series if series.labels == labels)
    assert isinstance(value, float)
    return value


def distribution(recorder: Recorder, name: str, *labels: str) -> Distribution:
    (value,) = (series.value for series in family(recorder, name).series if series.labels == labels)
    assert isinstance(value, Distribution)
    return value


def several_workers(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, workers=(1, 2))
