"""An app that records known distributions: ``/record`` draws from each of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import Info
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import stethoscope

OBSERVATIONS: Final = 20_000
DISTRIBUTIONS: Final[Mapping[str, Callable[[random.Random], float]]] = {
    "lognormal": lambda chance: chance.lognormvariate(-3.5, 0.9),
    "exponential": lambda chance: chance.expovariate(1 / 0.08),
    "two modes": lambda chance: chance.gauss(0.02, 0.002) if chance.random() < 0.9 else chance.gauss(1.5, 0.1),
    "wide": lambda chance: 10 ** chance.uniform(-5, 3),
}
LATENCY = stethoscope.Histogram("drawn_seconds", "Drawn from known distributions.", ["distribution"])
BUILD = Info("build", "What prometheus_client knows and we do not.")
BUILD.info({"version": '1.0 "beta"'})


def drawn(name: str) -> list[float]:
    """The same numbers each time."""
    chance = random.Random(name)
    return [abs(DISTRIBUTIONS[name](chance)) for _ in range(OBSERVATIONS)]


def record(request: Request) -> Response:
    for name in DISTRIBUTIONS:
        series = LATENCY.labels(name)
        for value in drawn(name):
            series.observe(value)
    return PlainTextResponse("recorded")


app = stethoscope.install(Starlette(routes=[Route("/record", record)]), metrics_path="/metrics")
