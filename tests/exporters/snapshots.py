"""Snapshots built by hand: small ones with every corner of the exposition, and one as big as a large service's."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from stethoscope.names import (
    ACTIVE_REQUESTS,
    REQUEST_DURATION,
    REQUEST_SIZE,
    RESPONSE_SIZE,
    WEBSOCKET_BYTES,
    WORKERS,
    Kind,
    Merge,
    Metric,
)
from stethoscope.store.buckets import buckets_for
from stethoscope.store.distribution import Distribution
from stethoscope.store.snapshot import Family, Series, Snapshot

BORN = 1_700_000_000.25

ODD = Metric(
    "odd_values", Kind.GAUGE, 'Help with "quotes", a \\ and a\nsecond line, and \x07 that rings.', ("text",), "metres"
)
PER_WORKER = Metric("per_worker", Kind.GAUGE, "A gauge that is not merged.", ("role",), merge=Merge.ALL)
NOTHING = Metric("nothing_recorded", Kind.COUNTER, "A family without series.")
PLAIN = Metric("plain_numbers", Kind.HISTOGRAM, "A histogram without unit or labels.", (), "", (0.5, 1.0, 1234567.5))


def distribution(metric: Metric, values: Iterable[float]) -> Distribution:
    """What recording ``values`` in this order gives."""
    buckets = buckets_for(metric)
    cells: dict[int, int] = {}
    total = 0.0
    for value in values:
        cell = buckets.cell(value)
        cells[cell] = cells.get(cell, 0) + 1
        total += value
    return Distribution(buckets, cells, total)


def histogram(metric: Metric, labels: Sequence[str], values: Iterable[float], *, overflow: bool = False) -> Series:
    return Series(tuple(labels), distribution(metric, values), BORN, overflow)


def snapshot(*families: Family) -> Snapshot:
    by_name = {family.metric.name: family for family in families}
    return Snapshot("shop", BORN + 60, dict(sorted(by_name.items())))


def every_corner() -> Snapshot:
    """Every kind of metric, label and number that an exposition can meet."""
    return snapshot(
        Family(
            REQUEST_DURATION,
            (
                histogram(REQUEST_DURATION, [""] * 5, [0.02], overflow=True),
                histogram(REQUEST_DURATION, ["GET", "/items/{id}", "200", "http", ""], [11.0, 0.3, 0.3, 0.005, 0.004]),
                histogram(REQUEST_DURATION, ["GET", "/items/{id}", "500", "http", "ValueError"], [0.25]),
            ),
        ),
        Family(RESPONSE_SIZE, (histogram(RESPONSE_SIZE, ["GET", "/", "200", "http", ""], [0, 100, 2_000_000]),)),
        Family(WEBSOCKET_BYTES, (Series(("/ws", "receive"), 1024.0, BORN), Series(("/ws", "send"), 2.5e20, BORN))),
        Family(ACTIVE_REQUESTS, (Series(("GET", "http"), 3.0, BORN),)),
        Family(PER_WORKER, (Series(("",), 1.0, BORN, pid=41), Series(("",), 2.0, BORN, pid=42))),
        Family(
            ODD,
            (
                Series(("",), float("nan"), BORN),
                Series(('a"b\\c\nd', ), float("inf"), BORN),
                Series(("nul\x00 bell\x07 lone\ud800",), float("-inf"), BORN),
                Series(("tab\t ümlaut 🩺 100%d {} ,",), -0.1, BORN),
            ),
        ),
        Family(PLAIN, (histogram(PLAIN, [], [0.0, 0.5, 0.75, 1234567.5]),)),
        Family(NOTHING, ()),
        Family(WORKERS, (Series((), 2.0, BORN),)),
    )  # fmt: skip


def large(routes: int = 200, statuses: Sequence[str] = ("200", "404", "500")) -> Snapshot:
    """Three histograms for each route and status, with observations spread over some 120 cells."""
    chance = random.Random(5)
    families = []
    for metric, mean in ((REQUEST_DURATION, -4.0), (REQUEST_SIZE, 5.0), (RESPONSE_SIZE, 8.0)):
        states = [distribution(metric, (chance.lognormvariate(mean, 0.3) for _ in range(400))) for _ in range(8)]
        label_sets = [
            ("GET", f"/api/v1/things/{{id}}/part{i:04d}", status, "http", "")
            for i in range(routes)
            for status in statuses
        ]
        series = [
            Series(labels, Distribution(state.buckets, state.cells, state.sum), BORN)
            for labels, state in zip(label_sets, (chance.choice(states) for _ in label_sets), strict=True)
        ]
        families.append(Family(metric, tuple(series)))
    return snapshot(*families)
