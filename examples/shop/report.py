"""What a snapshot says about each route, as a table.

All figures but ``sent`` come from the package's merged numbers; quantiles are at most 1 % off.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from examples.shop.traffic import WEBSOCKET
from stethoscope import names
from stethoscope.store.distribution import Distribution
from stethoscope.store.snapshot import Series, Snapshot

HEADINGS = ("method", "route", "sent", "counted", "per s", "errors", "left", "p50 ms", "p95 ms", "p99 ms")


@dataclass(slots=True)
class Row:
    """One route. ``errors`` are 5xx and exceptions; ``left`` counts clients gone before the end."""

    durations: Distribution
    errors: int = 0
    left: int = 0


def rows(snapshot: Snapshot) -> dict[tuple[str, str], Row]:
    """By method and route template; WebSockets have `WEBSOCKET` for a method."""
    found: dict[tuple[str, str], Row] = {}
    for key, error, durations in exchanges(snapshot):
        row = found.get(key)
        if row is None:
            row = found[key] = Row(durations)
        else:
            row.durations = row.durations.plus(durations)
        if error == "client_disconnect":
            row.left += durations.count
        elif error:
            row.errors += durations.count
    return found


def exchanges(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str], str, Distribution]]:
    """Method with route, error type and durations of each series of requests and WebSockets."""
    for metric in (names.REQUEST_DURATION, names.WEBSOCKET_DURATION):
        for series in snapshot.family(metric).series:
            labels = dict(zip(metric.labels, series.labels, strict=True))
            method = labels.get("http_request_method", WEBSOCKET)
            yield (method, labels["http_route"]), labels["error_type"], distribution(series)


def distribution(series: Series) -> Distribution:
    assert isinstance(series.value, Distribution)
    return series.value


def in_flight(snapshot: Snapshot) -> int:
    """Requests and WebSocket connections that are not over yet."""
    gauges = (names.ACTIVE_REQUESTS, names.ACTIVE_WEBSOCKETS)
    values = [series.value for gauge in gauges for series in snapshot.family(gauge).series]
    return round(sum(value for value in values if not isinstance(value, Distribution)))


def table(snapshot: Snapshot, sent: Counter[tuple[str, str]], seconds: float) -> str:
    """The text of the table, the busiest route first."""
    found = rows(snapshot)
    keys = sorted(found.keys() | sent.keys(), key=lambda key: -sent[key])
    lines = [HEADINGS, *(cells(key, sent[key], found.get(key), seconds) for key in keys)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(aligned(line, widths) for line in lines)


def cells(key: tuple[str, str], sent: int, row: Row | None, seconds: float) -> tuple[str, ...]:
    if row is None:
        return (*key, str(sent), "0", *["-"] * 6)
    count = row.durations.count
    figures = (str(sent), str(count), f"{count / seconds:.1f}", str(row.errors), str(row.left))
    return (*key, *figures, *(milliseconds(row.durations.quantile(q)) for q in (0.5, 0.95, 0.99)))


def milliseconds(seconds: float) -> str:
    """Three significant figures: no more than the 1 % that holds."""
    value = seconds * 1000
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def aligned(line: Iterable[str], widths: list[int]) -> str:
    """Text to the left, figures to the right."""
    texts = (
        text.ljust(width) if column < 2 else text.rjust(width)
        for column, (text, width) in enumerate(zip(line, widths, strict=True))
    )
    return "  ".join(texts).rstrip()
