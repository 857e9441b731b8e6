"""What an expression says: which metrics it names, with which labels, over which ranges."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import promql_parser

from stethoscope.names import METRICS
from stethoscope.signals.board import every_panel
from stethoscope.signals.config import Config
from stethoscope.signals.files import boards
from stethoscope.signals.recording import recordings

OURS: Final = {name for metric in METRICS for name in metric.sample_names}
RECORDED: Final = {one.record for group in recordings(Config()).values() for one in group}
OF_PROMETHEUS: Final = {"ALERTS", "up", "scrape_duration_seconds", "scrape_samples_post_metric_relabeling"}

VARIABLES: Final = {"$__rate_interval": "10s", "$__range": "30s", "$__interval": "1s"}


def filled(expression: str) -> str:
    """As Grafana sends it when all of everything is chosen."""
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return re.sub(r"\$\w+", ".*", expression)


@dataclass(frozen=True, slots=True)
class Query:
    """A panel's query."""

    board: str
    panel: Mapping[str, Any]
    letter: str
    expression: str

    def __str__(self) -> str:
        return f"{self.board}, “{self.panel['title']}” {self.letter}: {self.expression}"


def queries(config: Config | None = None) -> Iterator[Query]:
    """All queries of all dashboards, with variables filled."""
    for name, board in boards(config or Config()).items():
        for panel in every_panel(board):
            for target in panel.get("targets", ()):
                yield Query(name, panel, target["refId"], filled(target["expr"]))


def events(config: Config | None = None) -> Mapping[str, str]:
    """What is marked on the graphs, by its name, and what tells of it."""
    board = boards(config or Config())["overview.json"]
    return {one["name"]: filled(one["expr"]) for one in board["annotations"]["list"]}


def metrics(expression: str) -> set[str]:
    """Names of all metrics in it. Raises ValueError for what is no PromQL."""
    return {selector.name for selector in selectors(promql_parser.parse(expression)) if selector.name}


def selectors(node: Any) -> Iterator[Any]:
    """The vector selectors below a node."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for field in ("expr", "lhs", "rhs", "vector_selector", "param"):
        child = getattr(node, field, None)
        if child is not None and not isinstance(child, str | float):
            yield from selectors(child)
    for child in getattr(node, "args", None) or ():
        yield from selectors(child)
