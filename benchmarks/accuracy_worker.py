"""One process of a service: observes its share of each distribution, and answers quantiles of the whole."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.processes import Answer, answer_commands
from benchmarks.workload import DISTRIBUTIONS, share_of
from stethoscope import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable


def main(worker: str, count: str) -> None:
    histograms = {name: Histogram(f"bench_{name}_seconds", f"Values, {name}.") for name in DISTRIBUTIONS}

    def fill(_: float) -> Answer:
        for name, histogram in histograms.items():
            for value in share_of(name, int(count), int(worker)).tolist():
                histogram.observe(value)
        return {}

    def quantiles_of(name: str) -> Callable[[float], Answer]:
        return lambda q: {"value": histograms[name].quantile(q)}

    answer_commands({"fill": fill, **{name: quantiles_of(name) for name in histograms}}, sys.stdin)


if __name__ == "__main__":
    main(*sys.argv[1:])
