"""Stethoscope's own store, written through what its middleware writes through: all that a request records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stethoscope.exporters.exposition import render as render_page
from stethoscope.exporters.text import TEXT
from stethoscope.middleware.inlet import Inlets
from stethoscope.settings import Settings
from stethoscope.store.registry import recorder_for

if TYPE_CHECKING:
    from benchmarks.workload import Traffic

_recorder = recorder_for(Settings.resolve(), "benchmarks")
_inlet = Inlets(_recorder).find("GET", "http")


def record(traffic: Traffic) -> None:
    error = str(traffic.status) if traffic.status >= 500 else ""
    outcome = _inlet.outcome(traffic.route, traffic.status, error)
    for duration, size in zip(traffic.durations, traffic.sizes, strict=True):
        _inlet.active.add(1.0)
        _inlet.active.add(-1.0)
        outcome.record(duration, 0, size)


def render() -> bytes:
    return b"".join(render_page(_recorder.snapshot(), TEXT))


def count(rendered: bytes) -> float:
    lines = rendered.decode().splitlines()
    prefix = "http_server_request_duration_seconds_count{"
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(prefix))
