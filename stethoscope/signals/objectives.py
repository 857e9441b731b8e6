"""Signals of objectives, read from what `recording` keeps, and of the alerts that fire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stethoscope.names import REQUEST_DURATION
from stethoscope.signals.http import FAILED
from stethoscope.signals.promql import Frame, how_many, label_of
from stethoscope.signals.signal import Signal
from stethoscope.signals.slo import WINDOWS


def services(frame: Frame) -> str:
    """Matchers on services, without those on their hosts: what is recorded is of services."""
    return ", ".join(matcher for matcher in frame.targets if not matcher.startswith(f"{frame.target_labels[-1]}="))


def _recorded(name: str, function: str) -> Callable[[Frame], str]:
    def expression(frame: Frame) -> str:
        by = f" by ({', '.join(frame.by)})" if frame.by else ""
        return f"{function}{by} ({name}{{{services(frame)}}})"

    return expression


def _objective(frame: Frame) -> str:
    """Objectives of all services have no service; rules that are for one service say which."""
    service = frame.target_labels[-2]
    chosen = (f'{matcher[:-1]}|"' for matcher in frame.targets if label_of(matcher) == service)
    return f"max by (slo) (slo:objective:share{{{', '.join(chosen)}}})"


GOOD: Final = Signal(
    "Good requests",
    "What share of requests was good, over the objective's period?",
    "percentunit",
    _recorded("slo:good:share_period", "min"),
)
BUDGET_LEFT: Final = Signal(
    "Error budget left",
    "How much of the error budget of the period is left? Below zero the objective is missed.",
    "percentunit",
    _recorded("slo:budget_left:share_period", "min"),
)
OBJECTIVE: Final = Signal(
    "Objective",
    "What share of requests has to be good?",
    "percentunit",
    _objective,
)
BURN_RATES: Final = tuple(
    Signal(
        f"over {window}",
        "How many times faster than allowed is the budget spent? At 1 it lasts exactly for the period.",
        "short",
        _recorded(f"slo:burn_rate:{window}", "max"),
    )
    for window in WINDOWS
)
BAD_SHARE: Final = Signal(
    "Bad requests",
    "What share of requests is bad, now?",
    "percentunit",
    lambda frame: (
        f"sum by (slo) (slo:bad:rate5m{{{services(frame)}}}) / (sum by (slo) (slo:total:rate5m{{{services(frame)}}}) > 0)"
    ),
)
BAD_REQUESTS: Final = Signal(
    "Failed requests",
    "Which routes spend the budget of availability?",
    "short",
    lambda frame: f"topk(20, {how_many(REQUEST_DURATION, frame.where(*FAILED))} > 0)",
)
FIRING: Final = Signal(
    "Firing alerts",
    "Does any alert fire that is more than a hint?",
    "short",
    lambda frame: f'count(ALERTS{{alertstate="firing", severity=~"warning|critical", {services(frame)}}}) or vector(0)',
)
ALERTS_NOW: Final = Signal(
    "Alerts",
    "Which alerts fire, or are about to?",
    "short",
    lambda frame: f'sum by (alertname, severity, alertstate) (ALERTS{{severity!="none", {services(frame)}}})',
)
