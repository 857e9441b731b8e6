"""One process of a service: records its share of each distribution, and answers quantiles of the whole."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.processes import Answer, answer_commands
from benchmarks.workload import DISTRIBUTIONS, share_of
from stethoscope.names import TIMER_DURATION
from stethoscope.settings import Settings
from stethoscope.store.distribution import Distribution
from stethoscope.store.registry import recorder_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from stethoscope.store.snapshot import Snapshot


def merged(snapshot: Snapshot, name: str) -> Distribution:
    """What all processes together have recorded under `name`."""
    (value,) = (series.value for series in snapshot.family(TIMER_DURATION).series if series.labels[0] == name)
    assert isinstance(value, Distribution)
    return value


def quantile(distribution: Distribution, q: float) -> Answer:
    return {"value": distribution.quantile(q), "count": distribution.count}


def main(worker: str, count: str) -> None:
    recorder = recorder_for(Settings.resolve(), "benchmarks")

    def fill(_: float) -> Answer:
        for name in DISTRIBUTIONS:
            series = recorder.histogram(TIMER_DURATION, (name, ""))
            for value in share_of(name, int(count), int(worker)).tolist():
                series.record(value)
        return {}

    def quantiles_of(name: str) -> Callable[[float], Answer]:
        return lambda q: quantile(merged(recorder.snapshot(), name), q)

    answer_commands({"fill": fill, **{name: quantiles_of(name) for name in DISTRIBUTIONS}}, sys.stdin)


if __name__ == "__main__":
    main(*sys.argv[1:])
