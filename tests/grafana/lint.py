"""What is wrong with a dashboard: the rules of Grafana's dashboard-linter as we need them, and some of our own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import promql_parser

from stethoscope.names import METRICS, Kind
from stethoscope.signals.board import every_panel
from tests.grafana.expressions import OF_PROMETHEUS, OURS, RECORDED, metrics, selectors

UNITS: Final = {"s", "reqps", "cps", "ops", "iops", "percentunit", "short", "bytes", "Bps"}
TYPES: Final = {"row", "stat", "timeseries", "heatmap", "table", "text"}
COUNTERS: Final = {f"{metric.name}_total" for metric in METRICS if metric.kind is Kind.COUNTER} | {
    f"{metric.name}_{part}"
    for metric in METRICS
    if metric.kind is Kind.HISTOGRAM
    for part in ("bucket", "count", "sum")
}
# Of services, not of targets: there is no instance to choose.
OF_SERVICES: Final = {*RECORDED, "ALERTS"}
# The same for every service.
OF_ALL: Final = {"slo:objective:share", "slo:error_budget:share"}
UIDS: Final = re.compile(r"/d/([\w-]+)")


def mistakes(dashboard: dict[str, Any], uids: set[str]) -> list[str]:
    """``uids`` are those of all dashboards, for links."""
    found = [*_of_dashboard(dashboard), *_of_variables(dashboard), *_of_grid(dashboard)]
    found += [f"link to {uid}" for uid in UIDS.findall(str(dashboard)) if uid not in uids]
    for event in dashboard["annotations"]["list"]:
        found += [f"{event['name']}: {mistake}" for mistake in of_expression(event["expr"], "")]
    for panel in every_panel(dashboard):
        if panel["type"] != "row":
            found += [f"{panel['title']}: {mistake}" for mistake in _of_panel(panel)]
    return found


def _of_dashboard(dashboard: dict[str, Any]) -> Iterator[str]:
    if dashboard["editable"]:
        yield "can be edited"
    ids = [panel["id"] for panel in every_panel(dashboard)]
    if len(set(ids)) < len(ids) or not all(0 < number < 2**31 for number in ids):
        yield "ids are not unique, or too great"
    # A text asks Prometheus nothing.
    open_panels = [panel for panel in dashboard["panels"] if panel["type"] not in ("row", "text")]
    if len(open_panels) > 30:
        yield f"{len(open_panels)} panels are open from the start"


def _of_variables(dashboard: dict[str, Any]) -> Iterator[str]:
    variables = dashboard["templating"]["list"]
    names = [variable["name"] for variable in variables]
    if names[:3] != ["datasource", "job", "instance"]:
        yield f"variables begin with {names[:3]}"
    for place, variable in enumerate(variables[1:], 1):
        if variable["refresh"] != 2:
            yield f"{variable['name']} is not read anew when the time changes"
        if variable["datasource"]["uid"] != "${datasource}":
            yield f"{variable['name']} has a fixed data source"
        for earlier in names[1 : min(place, 3)]:
            if f'{earlier}=~"${earlier}"' not in variable["query"]["query"]:
                yield f"{variable['name']} does not follow {earlier}"


def _of_grid(dashboard: dict[str, Any]) -> Iterator[str]:
    for panels in (dashboard["panels"], *(panel["panels"] for panel in dashboard["panels"] if panel["type"] == "row")):
        taken: Counter[tuple[int, int]] = Counter()
        for panel in panels:
            place = panel["gridPos"]
            if place["x"] + place["w"] > 24:
                yield f"{panel['title']} is out of the grid"
            taken.update((place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"]))
        if taken and max(taken.values()) > 1:
            yield "panels overlap"


def _of_panel(panel: dict[str, Any]) -> Iterator[str]:
    if panel["type"] not in TYPES:
        yield f"type {panel['type']}"
    if not panel["title"] or not panel["description"]:
        yield "no title or description"
    elif panel["type"] != "text" and not re.search(r"[?.]$", panel["description"]):
        yield "the description asks nothing"
    if panel["datasource"]["uid"] != "${datasource}":
        yield "a fixed data source"
    if panel["type"] == "text":
        return
    if not set(_units(panel)) or set(_units(panel)) - UNITS:
        yield f"units {[*_units(panel)]}"
    if any(step["value"] == 80 for step in _steps(panel)):
        yield "Grafana's default threshold"
    letters = [target["refId"] for target in panel["targets"]]
    if not letters or len(set(letters)) < len(letters):
        yield f"queries {letters}"
    for target in panel["targets"]:
        if target["datasource"]["uid"] != "${datasource}":
            yield "a query with a fixed data source"
        yield from of_expression(
            target["expr"], "$__range" if panel["type"] in ("table", "stat") else "$__rate_interval"
        )


def _units(panel: dict[str, Any]) -> Iterator[str]:
    if panel["type"] == "heatmap":
        yield panel["options"]["yAxis"]["unit"]
    elif panel["type"] == "table":
        for override in panel["fieldConfig"]["overrides"]:
            yield from (one["value"] for one in override["properties"] if one["id"] == "unit")
    else:
        yield panel["fieldConfig"]["defaults"]["unit"]


def _steps(panel: dict[str, Any]) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
    return steps


def of_expression(expression: str, window: str) -> Iterator[str]:
    """What is wrong with a panel's query."""
    for literal in re.findall(r"\[([^\].]+)\]", expression):
        if literal not in ("$__rate_interval", window):
            yield f"range {literal}"
    plain = re.sub(r"\$\w+", "x", expression.replace("$__rate_interval", "7m13s").replace("$__range", "7m13s"))
    tree = promql_parser.parse(plain)
    for name in metrics(plain) - OURS - RECORDED - OF_PROMETHEUS:
        yield f"unknown metric {name}"
    for selector in selectors(tree):
        labels = {matcher.name for matcher in selector.matchers.matchers}
        wanted = set() if selector.name in OF_ALL else {"job"} if selector.name in OF_SERVICES else {"job", "instance"}
        if wanted - labels:
            yield f"{selector.name} without {', '.join(sorted(wanted - labels))}"
    for name in COUNTERS & metrics(plain):
        uses = len(re.findall(rf"\b{name}\b", expression))
        over_time = rf"\b(?:rate|increase|last_over_time|count_over_time)\({name}\b"
        new = rf"\b{name}(?:{{[^}}]*}})? unless last_over_time\({name}\b"
        if len(re.findall(over_time, expression)) + len(re.findall(new, expression)) < uses:
            yield f"{name} is a counter that is read as it is"
