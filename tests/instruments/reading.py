"""What a recorder's snapshot says, for tests."""

from __future__ import annotations

from stethoscope import names
from stethoscope.store.distribution import Distribution
from stethoscope.store.recorder import Recorder
from stethoscope.store.snapshot import Series


def series_of(recorder: Recorder, name: str) -> tuple[Series, ...]:
    family = recorder.snapshot().families.get(name)
    return family.series if family else ()


def numbers(recorder: Recorder, name: str) -> dict[tuple[str, ...], float]:
    """Values by labels; a histogram's are its counts."""
    return {
        one.labels: one.value.count if isinstance(one.value, Distribution) else one.value
        for one in series_of(recorder, name)
    }


def refused(recorder: Recorder, name: str) -> float:
    return numbers(recorder, names.REFUSED_OBSERVATIONS.name).get((name,), 0.0)


def sum_of(recorder: Recorder, name: str, labels: tuple[str, ...] = ()) -> float:
    (found,) = [one.value for one in series_of(recorder, name) if one.labels == labels]
    assert isinstance(found, Distribution)
    return found.sum
