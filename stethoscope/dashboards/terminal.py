"""The overview as lines for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Final

from stethoscope.dashboards.documents.alerts import Alert
from stethoscope.dashboards.documents.diagnosis import Finding
from stethoscope.dashboards.documents.overview import Overview
from stethoscope.dashboards.documents.performance import Endpoint
from stethoscope.names import OTHER_METHOD, UNMATCHED_ROUTE
from stethoscope.store.timeline import OVERFLOW_ROUTE
from stethoscope.thresholds import Level

NONE: Final = "–"
_COLOURS: Final = {Level.OK: "32", Level.WARN: "33", Level.CRITICAL: "31"}
_TIMES: Final = ((60.0, 60.0, "min"), (1.0, 1.0, "s"), (1e-3, 1e-3, "ms"), (0.0, 1e-6, "µs"))
_FINDING: Final = "36"
_ROUTES: Final = {UNMATCHED_ROUTE: "no route", OVERFLOW_ROUTE: "all further routes"}
_METHODS: Final = {"": "any", OTHER_METHOD: "other"}
"""How names are said that stand for something else than a route or a method."""
_VERDICTS: Final = {Level.OK: "all well", Level.WARN: "look at this", Level.CRITICAL: "act now"}


def lines(document: Overview, width: int, height: int, *, colour: bool) -> list[str]:
    """At most ``height`` lines of at most ``width`` characters, colours not counted. Where there is room, more is said."""
    paint = _paint if colour else _plain
    for said in (_in_full, _in_detail, _in_brief):
        text = list(said(document, width))
        if len(text) <= height:
            break
    return [paint(cut(line, width), style) for line, style in text[:height]]


Styled = tuple[str, str]
"""A line, and the number of its style (ECMA-48, SGR); empty for none."""


def _paint(line: str, style: str) -> str:
    return f"\x1b[{style}m{line}\x1b[0m" if style else line


def _plain(line: str, style: str) -> str:
    return line


def _in_full(document: Overview, width: int) -> Iterator[Styled]:
    yield from _in_detail(document, width)
    for title, endpoints in (("SLOWEST", document["slowest"]), ("FAILING", document["failing"])):
        if endpoints:
            yield from _endpoints(title, endpoints, width)


def _in_detail(document: Overview, width: int) -> Iterator[Styled]:
    yield from _head(document, width)
    yield from _alerts(document["alerts"])
    yield from _findings(document["findings"], width)
    yield from _endpoints("BUSIEST", document["busiest"], width)


def _in_brief(document: Overview, width: int) -> Iterator[Styled]:
    yield from _head(document, width)
    yield from _alerts(document["alerts"][:5])
    if document["findings"]:
        yield "", ""
    for finding in document["findings"][:3]:
        yield f"! {shown(finding['summary'])}", _FINDING
    yield from _endpoints("BUSIEST", document["busiest"], width)


def _head(document: Overview, width: int) -> Iterator[Styled]:
    level = Level(document["level"])
    yield f"{shown(document['service'])}: {_VERDICTS[level]}", f"1;{_COLOURS[level]}"
    for figures in (_requests(document), _means(document)):
        for line in _packed(figures, width):
            yield line, ""
    yield f"numbers of the last {seconds(document['window']['seconds'])}", "2"


def _requests(document: Overview) -> Iterator[str]:
    requests = document["requests"]
    yield f"{digits(requests['rate_per_second'])} requests/s"
    yield f"{percent(requests['error_ratio'])} errors"
    yield f"p50 {seconds(requests['p50_seconds'])}"
    yield f"p95 {seconds(requests['p95_seconds'])}"
    yield f"p99 {seconds(requests['p99_seconds'])}"
    yield f"{digits(document['active_requests'])} in flight"


def _means(document: Overview) -> Iterator[str]:
    queries, machine, workers = document["queries"], document["machine"], len(document["window"]["workers"])
    yield "1 worker" if workers == 1 else f"{workers} workers"
    yield f"loop lag p99 {seconds(document['event_loop_lag']['p99_seconds'])}"
    yield f"CPU {percent(machine['cpu_use_ratio'])}"
    yield f"memory {percent(machine['memory_use_ratio'])}"
    if queries["count"]:
        yield f"{digits(queries['rate_per_second'])} queries/s, p95 {seconds(queries['p95_seconds'])}"


def _packed(figures: Iterable[str], width: int) -> Iterator[str]:
    """As many to a line as fit."""
    line = ""
    for figure in figures:
        longer = f"{line}  {figure}" if line else figure
        if line and len(longer) > width:
            yield line
            line = figure
        else:
            line = longer
    yield line


def _alerts(alerts: Sequence[Alert]) -> Iterator[Styled]:
    """The figures first: they are left when a narrow terminal cuts the line."""
    if alerts:
        yield "", ""
    for alert in alerts:
        value, limit = measured(alert["value"], alert["unit"]), measured(alert["limit"], alert["unit"])
        subject = shown(alert["subject"]) or "the whole service"
        yield f"• {value:>8}, limit {limit:<8} {subject}: {alert['what']}", _COLOURS[Level(alert["level"])]


def _findings(findings: Sequence[Finding], width: int) -> Iterator[Styled]:
    if findings:
        yield "", ""
    for finding in findings:
        for line in wrap(f"! {shown(finding['summary'])}", width, subsequent_indent="  "):
            yield line, _FINDING
        for line in wrap(shown(finding["cure"]), width, initial_indent="  ", subsequent_indent="  "):
            yield line, ""


def _endpoints(title: str, endpoints: Sequence[Endpoint], width: int) -> Iterator[Styled]:
    longest = max((len(_named(one)) for one in endpoints), default=0)
    route_width = max(16, min(longest + 2, width - 57))
    yield "", ""
    yield f"{title:<{8 + route_width}}{'rate/s':>9}{'errors':>9}{'p50':>11}{'p95':>11}{'time':>9}", "1"
    if not endpoints:
        yield "no request was completed in this window", "2"
    for endpoint in endpoints:
        yield _endpoint(endpoint, route_width), "31" if endpoint["error_count"] else ""


def _endpoint(endpoint: Endpoint, route_width: int) -> str:
    route = cut(_named(endpoint), route_width - 1)
    return (
        f"{_METHODS.get(endpoint['method'], shown(endpoint['method'])):<8}{route:<{route_width}}{digits(endpoint['rate_per_second']):>9}"
        f"{percent(endpoint['error_ratio']):>9}{seconds(endpoint['p50_seconds']):>11}{seconds(endpoint['p95_seconds']):>11}"
        f"{percent(endpoint['time_ratio']):>9}"
    )


def _named(endpoint: Endpoint) -> str:
    return _ROUTES.get(endpoint["route"], shown(endpoint["route"]))


def cut(text: str, width: int) -> str:
    """No longer than that, and it shows."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def shown(text: str) -> str:
    """Text from outside, without anything that a terminal would act upon."""
    return "".join(character if character.isprintable() else "�" for character in text)


def digits(value: float | None) -> str:
    """Three digits."""
    if value is None or not math.isfinite(value):
        return NONE
    size = abs(value)
    if size >= 99.95 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 9.995 else f"{value:.2f}"


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
