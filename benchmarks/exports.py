"""What pushing over OTLP takes from an app, while its receiver is well, ill, or away; see README, "Exports"."""

from __future__ import annotations

import random
import socket
import statistics
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from benchmarks.report import Floor, Result
from benchmarks.server import CLIENT_CPU, CONNECTIONS, Server, pinned
from benchmarks.throughput import SATURATED_FROM, Readings, kept, load

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT_FLOOR: Final = 97.0
OFF: Final = "no export"
STATES: Final = ("fine", "failing", "hanging", "down")
_INTERVAL_MS: Final = 1000
"""Sixty times as often as by default."""


@contextmanager
def _receiver(state: str) -> Iterator[int]:
    """The port of a receiver in this state."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        if state == "down":
            listener.close()
            yield port
            return
        descriptor = listener.fileno()
        command = [*pinned(CLIENT_CPU), sys.executable, "-m", "benchmarks.receiver", state, str(descriptor)]
        process = subprocess.Popen(command, pass_fds=[descriptor])
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def measure(rounds: int, seconds: int) -> dict[str, Readings]:
    """Interleaved rounds, each server loaded once a round while the others sit idle."""
    readings = {state: Readings() for state in (OFF, *STATES)}
    order, shuffled = list(readings), random.Random(0)
    with ExitStack() as stack:
        servers = {OFF: stack.enter_context(Server("stethoscope", "starlette"))}
        for state in STATES:
            port = stack.enter_context(_receiver(state))
            servers[state] = stack.enter_context(Server("stethoscope", "starlette", _environment(port)))
        for server in servers.values():
            server.load(2)  # what pushes is imported meanwhile
        for _ in range(rounds):
            shuffled.shuffle(order)
            for state in order:
                load(servers[state], seconds, readings[state])
    return readings


def _environment(port: int) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"http://127.0.0.1:{port}/v1/metrics",
        "OTEL_METRIC_EXPORT_INTERVAL": str(_INTERVAL_MS),
        "OTEL_TRACES_EXPORTER": "none",
    }


def run(rounds: int, seconds: int) -> Result:
    found = measure(rounds, seconds)
    return Result(
        name="exports",
        floors=[_floor(state, found) for state in STATES],
        columns=(
            "receiver",
            "requests/s",
            "% of no export",
            "quartiles %",
            "min–max %",
            "p99 ms",
            "÷ fine",
            "quartiles",
            "min–max",
            "server µs/request",
            "% of core",
        ),
        rows=[_row(state, found) for state in found],
        readings={
            state: {"rates": own.rates, "p99": own.p99, "cpu_seconds": own.cpu_seconds} for state, own in found.items()
        },
        note=f"{rounds} rounds of {seconds} s, {CONNECTIONS} connections, a push every {_INTERVAL_MS / 1000:g} s; each round against the same round without export, the 99th percentile of latency against the same round with a receiver that is fine; median over rounds.",
    )


def _row(state: str, found: dict[str, Readings]) -> tuple[str, ...]:
    own, percent = found[state], kept(found[state], found[OFF])
    slower = [p99 / healthy for p99, healthy in zip(own.p99, found["fine"].p99, strict=True)]
    return (
        state,
        f"{statistics.median(own.rates):.0f}",
        f"{statistics.median(percent):.1f}",
        _quartiles(percent, ".1f"),
        f"{min(percent):.1f}–{max(percent):.1f}",
        f"{statistics.median(own.p99) * 1e3:.2f}",
        f"{statistics.median(slower):.2f}",
        _quartiles(slower, ".2f"),
        f"{min(slower):.2f}–{max(slower):.2f}",
        f"{statistics.median(own.cpu_seconds) * 1e6:.1f}",
        f"{statistics.median(own.core_percent):.0f}",
    )


def _quartiles(values: list[float], form: str) -> str:
    lower, _, upper = statistics.quantiles(values, n=4)
    return f"{lower:{form}}–{upper:{form}}"


def _floor(state: str, found: dict[str, Readings]) -> Floor:
    percent = kept(found[state], found[OFF])
    return Floor(
        measure=f"throughput kept, receiver {state}",
        must=KEPT_FLOOR,
        got=statistics.median(percent),
        unit=" %",
        at_most=False,
        spread=f"{min(percent):.1f}–{max(percent):.1f}",
        disturbed=any(statistics.median(found[name].core_percent) < SATURATED_FROM for name in (OFF, state)),
    )
