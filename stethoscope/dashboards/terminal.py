"""The overview as lines for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from stethoscope.dashboards.documents.alerts import Alert
from stethoscope.dashboards.documents.overview import Overview
from stethoscope.dashboards.documents.performance import Endpoint
from stethoscope.thresholds import Level

NONE: Final = "–"
_COLOURS: Final = {Level.OK: "32", Level.WARN: "33", Level.CRITICAL: "31"}
_TIMES: Final = ((60.0, 60.0, "min"), (1.0, 1.0, "s"), (1e-3, 1e-3, "ms"), (0.0, 1e-6, "µs"))
_VERDICTS: Final = {Level.OK: "all well", Level.WARN: "look at this", Level.CRITICAL: "act now"}


def lines(document: Overview, width: int, height: int, *, colour: bool) -> list[str]:
    """At most ``height`` lines of at most ``width`` characters, colours not counted."""
    paint = _paint if colour else _plain
    text = [*_head(document), *_alerts(document), *_endpoints(document, width)]
    return [paint(line[:width], style) for line, style in text[:height]]


Styled = tuple[str, str]
"""A line, and the number of its style (ECMA-48, SGR); empty for none."""


def _paint(line: str, style: str) -> str:
    return f"\x1b[{style}m{line}\x1b[0m" if style else line


def _plain(line: str, style: str) -> str:
    return line


def _head(document: Overview) -> Iterator[Styled]:
    requests, window = document["requests"], document["window"]
    level = Level(document["level"])
    yield f"{shown(document['service'])}: {_VERDICTS[level]}", f"1;{_COLOURS[level]}"
    yield (
        (
            f"{digits(requests['rate_per_second'])} requests/s   {percent(requests['error_ratio'])} errors   "
            f"p50 {seconds(requests['p50_seconds'])}  p95 {seconds(requests['p95_seconds'])}  p99 {seconds(requests['p99_seconds'])}   "
            f"{digits(document['active_requests'])} in flight"
        ),
        "",
    )
    queries, machine = document["queries"], document["machine"]
    yield (
        (
            f"{len(window['workers'])} worker{'' if len(window['workers']) == 1 else 's'}   loop lag p99 {seconds(document['event_loop_lag']['p99_seconds'])}   "
            f"CPU {percent(machine['cpu_use_ratio'])}  memory {percent(machine['memory_use_ratio'])}   "
            f"{digits(queries['rate_per_second'])} queries/s, p95 {seconds(queries['p95_seconds'])}"
        ),
        "",
    )
    yield f"numbers of the last {seconds(window['seconds'])}", "2"


def _alerts(document: Overview) -> Iterator[Styled]:
    if document["alerts"] or document["findings"]:
        yield "", ""
    for alert in document["alerts"][:5]:
        yield _alert(alert), _COLOURS[Level(alert["level"])]
    for finding in document["findings"][:3]:
        yield f"! {shown(finding['summary'])}", "36"


def _alert(alert: Alert) -> str:
    subject = shown(alert["subject"]) or "the whole service"
    return f"• {subject}: {alert['what']} {measured(alert['value'], alert['unit'])} (limit {measured(alert['limit'], alert['unit'])})"


def _endpoints(document: Overview, width: int) -> Iterator[Styled]:
    route_width = max(20, width - 54)
    yield "", ""
    columns = f"{'rate/s':>9}{'errors':>9}{'p50':>11}{'p95':>11}{'time':>9}"
    yield f"{'METHOD':<8}{'ROUTE':<{route_width - 3}}{columns}", "1"
    if not document["busiest"]:
        yield "no request was completed in this window", "2"
    for endpoint in document["busiest"]:
        yield _endpoint(endpoint, route_width), "31" if endpoint["error_count"] else ""


def _endpoint(endpoint: Endpoint, route_width: int) -> str:
    route = shown(endpoint["route"])[: route_width - 4]
    return (
        f"{shown(endpoint['method']):<8}{route:<{route_width - 3}}{digits(endpoint['rate_per_second']):>9}"
        f"{percent(endpoint['error_ratio']):>9}{seconds(endpoint['p50_seconds']):>11}{seconds(endpoint['p95_seconds']):>11}"
        f"{percent(endpoint['time_ratio']):>9}"
    )


def shown(text: str) -> str:
    """Text from outside, without anything that a terminal would act upon."""
    return "".join(character if character.isprintable() else "�" for character in text)


def digits(value: float | None) -> str:
    """Three digits."""
    if value is None or not math.isfinite(value):
        return NONE
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 or value == int(value) else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def seconds(value: float | None) -> str:
    """A duration in the largest unit that fits."""
    if value is None:
        return NONE
    _, factor, unit = next(step for step in _TIMES if value >= step[0])
    return f"{digits(value / factor)} {unit}"


def percent(value: float | None) -> str:
    return NONE if value is None else f"{digits(value * 100)} %"


def measured(value: float, unit: str) -> str:
    """A number in the unit of a threshold."""
    if unit == "seconds":
        return seconds(value)
    return percent(value) if unit == "ratio" else digits(value)
