"""Where several processes keep their metrics, one file per rival.

Each is a module with the functions of `Store`. Where its files go is in the environment before it is
imported, in the variable that the rival itself reads.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from benchmarks.workload import Traffic

STORES: Final = {
    "stethoscope": "benchmarks.stores.stethoscope",
    "prometheus_client": "benchmarks.stores.prometheus",
}
DIRECTORY_VARIABLES: Final = {
    "stethoscope": "STETHOSCOPE_DIR",
    "prometheus_client": "PROMETHEUS_MULTIPROC_DIR",
}


class Store(Protocol):
    DURATION: str
    """Name of the histogram of request durations in what it renders."""

    def record(self, traffic: Traffic) -> None:
        """Records one series' requests in this process."""

    def render(self) -> bytes:
        """One scrape: the Prometheus text of all processes together."""


def total(rendered: bytes, name: str) -> float:
    """The sum over all series of the sample called `name`."""
    lines = rendered.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + "{"))


def load(name: str) -> Store:
    return cast("Store", import_module(STORES[name]))
