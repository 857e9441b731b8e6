"""SLO: how much may still go wrong."""

from __future__ import annotations

from typing import Final

from stethoscope.signals.board import Board, Row
from stethoscope.signals.objectives import (
    ALERTS_NOW,
    BAD_REQUESTS,
    BAD_SHARE,
    BUDGET_LEFT,
    BURN_RATES,
    FIRING,
    GOOD,
    OBJECTIVE,
)
from stethoscope.signals.panels import Column, stat, table, timeseries

_BY: Final = ("slo",)
_LINES: Final = {"yellow": 1.0, "orange": 3.0, "red": 6.0, "dark-red": 14.4}

OBJECTIVES: Final = Board(
    "slo",
    "SLO",
    "Service level objectives: error budgets, and how fast they are spent. Needs the recording rules.",
    (
        Row(
            "At a glance",
            (
                stat(GOOD, "Objective met", decimals=3),
                stat(BUDGET_LEFT, "Budget left", decimals=1),
                stat(BURN_RATES[2], "Burn rate, 1 h", decimals=1),
                stat(BURN_RATES[5], "Burn rate, 1 d", decimals=1),
                stat(FIRING),
            ),
        ),
        Row(
            "Budgets",
            (
                timeseries("Error budget left", BUDGET_LEFT, keep=_BY, legend="{{slo}}", width=12),
                timeseries("Good requests and objective", GOOD, OBJECTIVE, keep=_BY, legend="{{slo}}", width=12),
                timeseries("Bad requests", BAD_SHARE, legend="{{slo}}", width=12),
                timeseries("Burn rate, short windows", *BURN_RATES[:4], width=12, lines=_LINES),
                timeseries("Burn rate, long windows", *BURN_RATES[4:], width=12, lines=_LINES),
                timeseries(
                    "Alerts",
                    ALERTS_NOW,
                    legend="{{alertname}} {{severity}} {{alertstate}}",
                    width=12,
                    stacked=True,
                    bars=True,
                    nothing="none",
                ),
            ),
        ),
        Row(
            "Who spends it",
            (
                table(
                    "Routes that spend the budget",
                    "On which routes did requests fail?",
                    (Column("Failed requests", BAD_REQUESTS, bar=True),),
                    {"http_route": "Route", "http_request_method": "Method", "error_type": "Error"},
                ),
            ),
        ),
    ),
)
