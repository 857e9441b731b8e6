"""Dashboards: rows of panels, laid out and wired, as Grafana's classic JSON model (schema version 42)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stethoscope.names import REQUEST_DURATION, WORKERS, Kind, Metric
from stethoscope.signals.config import Config
from stethoscope.signals.events import EVENTS, Event
from stethoscope.signals.panels import DATASOURCE, JSON, Panel, identity

TAG: Final = "stethoscope"
_COLUMNS: Final = 24


@dataclass(frozen=True, slots=True)
class Row:
    """``matchers`` limit what its panels look at, beside the targets that the dashboard's variables choose."""

    title: str
    panels: Sequence[Panel]
    collapsed: bool = False
    matchers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """A further variable: the values of ``label`` of ``metric``, for what the variables before it choose.

    ``name`` is that of the variable; one variable can be chosen from another by ``matchers``.
    """

    name: str
    title: str
    metric: Metric
    label: str
    matchers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Board:
    key: str
    title: str
    description: str
    rows: Sequence[Row]
    variables: Sequence[Variable] = ()

    @property
    def uid(self) -> str:
        return f"stethoscope-{self.key}"


def link_to(key: str, config: Config, **variables: str) -> str:
    """Where a panel leads to: another dashboard, with the same targets and time."""
    kept = [f"${{{name}:queryparam}}" for name in ("datasource", *config.target_labels)]
    given = [f"var-{name}={value}" for name, value in variables.items()]
    return f"/d/stethoscope-{key}?{'&'.join([*given, *kept, '${__url_time_range}'])}"


def render(board: Board, config: Config) -> JSON:
    """The dashboard for provisioning, with a variable for the data source."""
    return {
        "uid": board.uid,
        "title": f"ASGI / {board.title}",
        "description": board.description,
        "tags": ["asgi", TAG],
        "schemaVersion": 42,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "links": [_family()],
        "annotations": {"list": [_annotation(event, config) for event in EVENTS]},
        "templating": {"list": [*_variables(board, config)]},
        "panels": [*_placed(board, config)],
    }


def for_import(dashboard: JSON) -> JSON:
    """The same dashboard in the form that grafana.com and the import page take: they ask for the data source."""
    named = "${DS_PROMETHEUS}"
    exported = _replaced(dashboard, "${datasource}", named)
    variables = [one for one in exported["templating"]["list"] if one["type"] != "datasource"]
    types = sorted({panel["type"] for panel in every_panel(dashboard)} - {"row"})
    return {
        "__inputs": [
            {
                "name": "DS_PROMETHEUS",
                "label": "Prometheus",
                "description": "Where the metrics are",
                "type": "datasource",
                "pluginId": "prometheus",
                "pluginName": "Prometheus",
            }
        ],
        "__elements": {},
        "__requires": [
            {"type": "grafana", "id": "grafana", "name": "Grafana", "version": "10.4.0"},
            {"type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0"},
            *({"type": "panel", "id": kind, "name": kind.capitalize(), "version": ""} for kind in types),
        ],
        **exported,
        "id": None,
        "templating": {"list": variables},
    }


def every_panel(dashboard: JSON) -> Iterator[JSON]:
    """All panels, those in collapsed rows too."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", ())


def _replaced(value: object, old: str, new: str) -> JSON:
    # Links carry the data source as a variable, which the imported form does not have.
    replaced: JSON = json.loads(json.dumps(value).replace(old, new).replace("${datasource:queryparam}&", ""))
    return replaced


def _placed(board: Board, config: Config) -> Iterator[JSON]:
    y = 0
    for row in board.rows:
        panels, bottom = _laid_out(board, row, config, y + 1)
        yield {
            "type": "row",
            "id": identity(f"{board.key}/{row.title}"),
            "title": row.title,
            "collapsed": row.collapsed,
            "gridPos": {"h": 1, "w": _COLUMNS, "x": 0, "y": y},
            "panels": panels if row.collapsed else [],
        }
        if not row.collapsed:
            yield from panels
        y = y + 1 if row.collapsed else bottom


def _laid_out(board: Board, row: Row, config: Config, top: int) -> tuple[list[JSON], int]:
    """Panels from left to right, and where the next row begins."""
    frame = config.in_panels().where(*row.matchers)
    placed, x, y, line = [], 0, top, 0
    for panel in row.panels:
        if x + panel.width > _COLUMNS:
            x, y, line = 0, y + line, 0
        placed.append(
            {
                "id": identity(panel.title if board.key == "runbook" else f"{board.key}/{row.title}/{panel.title}"),
                "title": panel.title,
                "datasource": DATASOURCE,
                "gridPos": {"h": panel.height, "w": panel.width, "x": x, "y": y},
                **panel.body(config, frame),
            }
        )
        x, line = x + panel.width, max(line, panel.height)
    return placed, y + line


def _family() -> JSON:
    return {
        "type": "dashboards",
        "title": "ASGI dashboards",
        "tags": [TAG],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }


def _annotation(event: Event, config: Config) -> JSON:
    return {
        "name": event.name,
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": event.colour,
        "expr": event.expression(config),
        "step": "30s",
        "titleFormat": event.title,
        "textFormat": event.words(config),
        "useValueForTime": False,
    }


def _variables(board: Board, config: Config) -> Iterator[JSON]:
    yield {
        "type": "datasource",
        "name": "datasource",
        "label": "Data source",
        "query": "prometheus",
        "current": {},
        "regex": "",
        "hide": 0,
        "refresh": 1,
        "options": [],
        "includeAll": False,
        "multi": False,
    }
    chosen: list[str] = []
    for label in config.target_labels:
        yield _query_variable(label, label.capitalize().replace("_", " "), _values(WORKERS, label, chosen))
        chosen.append(f'{label}=~"${label}"')
    for variable in board.variables:
        query = _values(variable.metric, variable.label, [*chosen, *variable.matchers])
        yield _query_variable(variable.name, variable.title, query)


def _values(metric: Metric, label: str, matchers: Sequence[str]) -> str:
    # A histogram is stored under its own name where it is native, under three others where it is classic.
    name = [f'__name__=~"{metric.name}(_count)?"'] if metric.kind is Kind.HISTOGRAM else []
    selector = f"{'' if name else metric.name}{{{', '.join([*name, *matchers])}}}"
    return f"label_values({selector}, {label})"


def _query_variable(name: str, title: str, query: str) -> JSON:
    return {
        "type": "query",
        "name": name,
        "label": title,
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": f"variable-{name}"},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "hide": 0,
        "regex": "",
        "options": [],
    }


REQUEST_ROUTE: Final = Variable("route", "Route", REQUEST_DURATION, "http_route")
REQUEST_METHOD: Final = Variable("method", "Method", REQUEST_DURATION, "http_request_method", ('http_route=~"$route"',))
