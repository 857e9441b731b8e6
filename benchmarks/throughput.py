"""Requests per second that a contender leaves of the bare app's; see README, "Throughput"."""

from __future__ import annotations

import random
import statistics
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from benchmarks.report import Floor, Result
from benchmarks.server import CONNECTIONS, Server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEPT_FLOOR: Final = 92.0
WARM_UP_SECONDS: Final = 1
SATURATED_FROM: Final = 90.0
"""Percent of its core that a loaded server uses. Below, wrk or other programs set the rate, not the contender."""

DEFAULT_CONTENDERS: Final = {
    "starlette": ("bare", "wrap", "headers", "stethoscope", "stack", "pfi", "opentelemetry"),
    "raw": ("bare", "wrap", "headers", "stethoscope"),
}


@dataclass(frozen=True, slots=True)
class Readings:
    """One server's rounds: requests per second, the 99th percentile of their seconds, its processor seconds per request, and its share of its core."""

    rates: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    core_percent: list[float] = field(default_factory=list)
    peak_bytes: list[int] = field(default_factory=list)


def measure(app: str, contenders: Sequence[str], rounds: int, seconds: int) -> dict[str, Readings]:
    """Interleaved rounds, each server loaded once a round while the others sit idle."""
    readings = {name: Readings() for name in contenders}
    order = list(contenders)
    shuffled = random.Random(0)
    with ExitStack() as stack:
        servers = {name: stack.enter_context(Server(name, app)) for name in contenders}
        for server in servers.values():
            server.load(WARM_UP_SECONDS)
        for _ in range(rounds):
            shuffled.shuffle(order)
            for name in order:
                load(servers[name], seconds, readings[name])
        for name, server in servers.items():
            readings[name].peak_bytes.append(server.peak_bytes())
    return readings


def load(server: Server, seconds: int, readings: Readings) -> None:
    before = server.cpu_seconds()
    rate, p99, _ = server.load(seconds)
    readings.rates.append(rate)
    readings.p99.append(p99)
    used = server.cpu_seconds() - before
    readings.cpu_seconds.append(used / (rate * seconds))
    readings.core_percent.append(100 * used / seconds)


def run(contenders: Mapping[str, Sequence[str]], rounds: int, seconds: int) -> Result:
    readings = {app: measure(app, names, rounds, seconds) for app, names in contenders.items()}
    return Result(
        name="throughput",
        floors=[_floor(app, found) for app, found in readings.items() if {"bare", "stethoscope"} <= set(found)],
        columns=(
            "app",
            "contender",
            "requests/s",
            "% of bare",
            "min–max %",
            "server µs/request",
            "% by processor",
            "% of core",
            "peak MiB",
        ),
        rows=[_row(app, name, found) for app, found in readings.items() for name in found],
        readings={
            f"{app}/{name}": {"rates": own.rates, "cpu_seconds": own.cpu_seconds, "core_percent": own.core_percent}
            for app, found in readings.items()
            for name, own in found.items()
        },
        note=f"{rounds} rounds of {seconds} s, {CONNECTIONS} connections; each round against the bare app's same round, median over rounds.",
    )


def kept(readings: Readings, bare: Readings) -> list[float]:
    """Percent of the bare app's rate, round by round."""
    return [100 * own / other for own, other in zip(readings.rates, bare.rates, strict=True)]


def _row(app: str, name: str, found: Mapping[str, Readings]) -> tuple[str, ...]:
    own, percent = found[name], kept(found[name], found["bare"])
    return (
        app,
        name,
        f"{statistics.median(own.rates):.0f}",
        f"{statistics.median(percent):.1f}",
        f"{min(percent):.1f}–{max(percent):.1f}",
        f"{min(own.cpu_seconds) * 1e6:.1f}",
        f"{100 * min(found['bare'].cpu_seconds) / min(own.cpu_seconds):.1f}",
        f"{statistics.median(own.core_percent):.0f}",
        f"{own.peak_bytes[0] / 2**20:.1f}",
    )


def _floor(app: str, found: Mapping[str, Readings]) -> Floor:
    percent = kept(found["stethoscope"], found["bare"])
    return Floor(
        measure=f"throughput kept ({app} app)",
        must=KEPT_FLOOR,
        got=statistics.median(percent),
        unit=" %",
        at_most=False,
        spread=f"{min(percent):.1f}–{max(percent):.1f}",
        disturbed=any(statistics.median(found[name].core_percent) < SATURATED_FROM for name in ("bare", "stethoscope")),
    )
