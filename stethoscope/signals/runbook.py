"""The runbook: one section an alert, with what it means, what it harms, where to look, what to do."""

from __future__ import annotations

from collections.abc import Iterator

from stethoscope.signals.alert import Alert
from stethoscope.signals.alerts import ALERTS
from stethoscope.signals.board import Board, Row
from stethoscope.signals.config import Config
from stethoscope.signals.panels import text


def page(config: Config) -> str:
    """All of it, as Markdown."""
    return "\n".join([*_page(config)])


def board(config: Config) -> Board:
    """The same as a dashboard, so that the alerts' links work without any further server."""
    sections = [text(alert.name, "\n".join(section(alert, config)), width=12) for alert in ALERTS]
    return Board("runbook", "Runbook", "What to do when an alert fires.", (Row("Alerts", sections),))


def _page(config: Config) -> Iterator[str]:
    yield from ("# Runbook", "")
    yield "<!-- Written by `stethoscope runbook`. -->"
    yield ""
    yield "What each alert means, what it harms, where to look, and what to do. `critical` is for now, `warning` for today,"
    yield from ("`info` is a hint that only shows beside something worse.", "")
    for alert in ALERTS:
        yield from (f"## {alert.name}", "", *section(alert, config))


def section(alert: Alert, config: Config) -> Iterator[str]:
    yield from ("**Meaning.** " + alert.meaning, "")
    yield from ("**Impact.** " + alert.impact, "")
    yield from ("**Diagnosis**", "", *_numbered(alert.diagnosis), "")
    yield from ("**Mitigation**", "", *_numbered(alert.mitigation), "")
    yield from ("**When it fires**", "", "| severity | for | expression |", "|---|---|---|")
    for condition in alert.conditions(config):
        expression = condition.expression.replace("|", "\\|").replace("\n", " ")
        yield f"| {condition.severity} | {condition.hold} | `{expression}` |"
    yield ""


def _numbered(steps: tuple[str, ...]) -> Iterator[str]:
    for number, step in enumerate(steps, 1):
        yield f"{number}. {step}"
