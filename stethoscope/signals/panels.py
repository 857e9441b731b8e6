"""Panels of Grafana's classic dashboard model, from signals.

Each panel asks a question (its description), has a unit, the thresholds that its alerts have, and the data
source that the dashboard's variable chooses.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, Final

from stethoscope.signals.config import Config
from stethoscope.signals.promql import Frame
from stethoscope.signals.signal import HOST, Signal
from stethoscope.thresholds import Threshold

JSON = dict[str, Any]

Link = Callable[[Config], str]

DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

_LETTERS: Final = ascii_uppercase
"""What Grafana calls the queries of a panel."""

GREEN, ORANGE, RED, BLUE, YELLOW, GREY = "green", "orange", "red", "blue", "yellow", "text"
STATUS_COLOURS: Final = {"2..": GREEN, "3..": BLUE, "4..": YELLOW, "5..": RED}


@dataclass(frozen=True, slots=True)
class Panel:
    """``width`` is in columns of 24, ``height`` in rows of 30 pixels. ``body`` makes all but id and place,
    for what the dashboard looks at."""

    title: str
    width: int
    height: int
    body: Callable[[Config, Frame], JSON]


def identity(title: str) -> int:
    """A panel's id: the same in every release, wherever the panel is."""
    return zlib.crc32(title.encode()) % 1_000_000_000 + 1


def stat(
    signal: Signal,
    title: str | None = None,
    *,
    window: str | None = None,
    decimals: int | None = None,
    link: Link | None = None,
    nothing: str = "no data",
) -> Panel:
    """One number now, coloured by its threshold, over its course."""

    def body(config: Config, frame: Frame) -> JSON:
        defaults = _defaults(signal.unit, _steps(signal, config), nothing)
        if decimals is not None:
            defaults["decimals"] = decimals
        return {
            "type": "stat",
            "description": signal.question,
            "targets": [_target("A", signal.expression(frame.over(window) if window else frame), signal.title)],
            "fieldConfig": {"defaults": defaults, "overrides": []},
            "options": {
                "colorMode": "value",
                "graphMode": "area",
                "justifyMode": "auto",
                "orientation": "auto",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
                "textMode": "value",
            },
            **({"links": [{"title": "Show", "url": link(config), "targetBlank": False}]} if link else {}),
        }

    return Panel(title or signal.title, 3, 4, body)


def timeseries(
    title: str,
    *signals: Signal,
    keep: Sequence[str] = (),
    legend: str | None = None,
    width: int = 8,
    height: int = 8,
    top: int | None = None,
    stacked: bool = False,
    bars: bool = False,
    exemplars: bool = False,
    by_status: bool = False,
    nothing: str = "no data",
    lines: Mapping[str, float] | None = None,
) -> Panel:
    """Signals over time, one line a signal, or a line each of the values of the labels that are kept.

    ``top`` shows the highest few of them only. ``lines`` are further marks at fixed values.
    """

    def body(config: Config, frame: Frame) -> JSON:
        kept = frame.keep(*(label.replace(HOST, config.instance_label) for label in keep))
        steps = [*_steps(signals[0] if len(signals) == 1 else _coloured(signals), config)]
        steps += [{"value": value, "color": colour} for colour, value in (lines or {}).items()]
        named = legend and legend.replace(HOST, config.instance_label)
        return {
            "type": "timeseries",
            "description": signals[0].question,
            "targets": [
                _target(
                    letter,
                    f"topk({top}, {signal.expression(kept)})" if top else signal.expression(kept),
                    named or signal.title,
                    exemplar=exemplars and letter == "A",
                )
                for letter, signal in zip(_LETTERS, signals, strict=False)
            ],
            "fieldConfig": {
                "defaults": {
                    **_defaults(signals[0].unit, steps, nothing),
                    "color": {"mode": "palette-classic"},
                    "custom": _drawn(stacked, bars, len(steps) > 1),
                },
                "overrides": _status_overrides() if by_status else [],
            },
            "options": {
                "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
                "tooltip": {"mode": "multi", "sort": "desc"},
            },
        }

    return Panel(title, width, height, body)


def heatmap(title: str, signal: Signal, width: int = 8, height: int = 8) -> Panel:
    """A distribution over time."""

    def body(config: Config, frame: Frame) -> JSON:
        return {
            "type": "heatmap",
            "description": signal.question,
            "targets": [_target("A", signal.expression(frame), "{{le}}", format="heatmap")],
            "maxDataPoints": 100,
            "fieldConfig": {"defaults": {"custom": {"scaleDistribution": {"type": "linear"}}}, "overrides": []},
            "options": {
                "calculate": False,
                "cellGap": 1,
                "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "reverse": False},
                "exemplars": {"color": "rgba(255,0,255,0.7)"},
                "filterValues": {"le": 1e-9},
                "legend": {"show": True},
                "rowsFrame": {"layout": "auto"},
                "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": True},
                "yAxis": {"axisPlacement": "left", "unit": signal.unit, "reverse": False},
            },
        }

    return Panel(title, width, height, body)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of numbers; ``bar`` draws them as bars in their cells."""

    title: str
    signal: Signal
    bar: bool = False


def table(
    title: str,
    question: str,
    columns: Sequence[Column],
    keep: Mapping[str, str],
    *,
    link: Link | None = None,
    sort: str | None = None,
    width: int = 24,
    height: int = 10,
) -> Panel:
    """A row for each of the label sets that are kept (label to heading), over the time that the dashboard shows.

    ``link`` is where the first of the labels leads to.
    """

    def body(config: Config, frame: Frame) -> JSON:
        return {
            "type": "table",
            "description": question,
            "targets": _cells(columns, frame.over("$__range").only(*keep)),
            "transformations": _one_table(columns, keep),
            "fieldConfig": {
                "defaults": {"custom": {"align": "auto", "filterable": True}, "thresholds": _absolute([])},
                "overrides": [
                    *([_linked(next(iter(keep.values())), link(config))] if link else []),
                    *(_column(column, config) for column in columns),
                ],
            },
            "options": {
                "cellHeight": "sm",
                "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": ""},
                "showHeader": True,
                "sortBy": [{"displayName": sort or columns[0].title, "desc": True}],
            },
        }

    return Panel(title, width, height, body)


def _cells(columns: Sequence[Column], frame: Frame) -> list[JSON]:
    return [
        _target(letter, column.signal.expression(frame), "", format="table", instant=True)
        for letter, column in zip(_LETTERS, columns, strict=False)
    ]


def _one_table(columns: Sequence[Column], keep: Mapping[str, str]) -> list[JSON]:
    """Transformations that join the answers of all columns by their labels, and give both their headings."""
    values = {f"Value #{letter}": column.title for letter, column in zip(_LETTERS, columns, strict=False)}
    return [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True},
                "indexByName": {name: index for index, name in enumerate((*keep, *values))},
                "renameByName": {**keep, **values},
            },
        },
    ]


def text(title: str, markdown: str, width: int = 24, height: int = 12) -> Panel:
    def body(_config: Config, _frame: Frame) -> JSON:
        return {
            "type": "text",
            "description": "What to do when this alert fires.",
            "options": {"mode": "markdown", "content": markdown},
        }

    return Panel(title, width, height, body)


def _target(
    letter: str,
    expression: str,
    legend: str,
    *,
    format: str = "time_series",
    instant: bool = False,
    exemplar: bool = False,
) -> JSON:
    return {
        "refId": letter,
        "datasource": DATASOURCE,
        "editorMode": "code",
        "exemplar": exemplar,
        "expr": expression,
        "format": format,
        "instant": instant,
        "legendFormat": legend or "__auto",
        "range": not instant,
    }


def _defaults(unit: str, steps: list[JSON], nothing: str) -> JSON:
    return {
        "unit": unit,
        "min": 0,
        "noValue": nothing,
        "color": {"mode": "thresholds"},
        "thresholds": _absolute(steps),
    }


def _absolute(steps: list[JSON]) -> JSON:
    return {"mode": "absolute", "steps": steps or [{"value": None, "color": GREY}]}


def _coloured(signals: Sequence[Signal]) -> Signal:
    return next((signal for signal in signals if signal.threshold), signals[0])


def _steps(signal: Signal, config: Config) -> list[JSON]:
    """Colours from which value on; the alerts have the same."""
    if signal.threshold is None:
        return [{"value": None, "color": GREY}]
    threshold: Threshold = getattr(config.thresholds, signal.threshold)
    levels = [(threshold.warn, ORANGE), (threshold.critical, RED)]
    if not threshold.below:
        return [{"value": None, "color": GREEN}, *({"value": at, "color": colour} for at, colour in levels if at)]
    used = [(at, colour) for at, colour in reversed(levels) if at]
    colours = [*(colour for _, colour in used), GREEN]
    return [{"value": at, "color": colour} for at, colour in zip((None, *(at for at, _ in used)), colours, strict=True)]


def _drawn(stacked: bool, bars: bool, marked: bool) -> JSON:
    return {
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 60 if bars else 20 if stacked else 8,
        "lineWidth": 0 if bars else 1,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        "thresholdsStyle": {"mode": "dashed" if marked else "off"},
    }


def _status_overrides() -> list[JSON]:
    return [
        {
            "matcher": {"id": "byRegexp", "options": f"/{status}/"},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
        }
        for status, colour in STATUS_COLOURS.items()
    ]


def _linked(heading: str, url: str) -> JSON:
    link = {"title": "Show", "url": url, "targetBlank": False}
    return {"matcher": {"id": "byName", "options": heading}, "properties": [{"id": "links", "value": [link]}]}


def _column(column: Column, config: Config) -> JSON:
    cell = {"type": "gauge", "mode": "basic"} if column.bar else {"type": "color-text"}
    steps = _steps(column.signal, config)
    return {
        "matcher": {"id": "byName", "options": column.title},
        "properties": [
            {"id": "unit", "value": column.signal.unit},
            {"id": "min", "value": 0},
            {"id": "thresholds", "value": _absolute(steps)},
            {"id": "color", "value": {"mode": "thresholds"}},
            {"id": "custom.cellOptions", "value": cell},
        ],
    }
