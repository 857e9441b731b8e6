"""Telemetry health: can the other dashboards be believed?"""

from __future__ import annotations

from typing import Final

from stethoscope.signals.board import Board, Row
from stethoscope.signals.own import (
    DROPPED,
    FAILURES,
    LOST,
    LOST_EXPORTS,
    LOST_LINES,
    OVERFLOWED,
    POINTS,
    PRIVATE,
    REFUSED,
    REFUSED_TIMES,
    SAMPLES,
    SCRAPE_SECONDS,
    SKIPPED,
    STORE,
    UP,
    WORKING,
)
from stethoscope.signals.panels import stat, timeseries
from stethoscope.signals.signal import HOST

HEALTH: Final = Board(
    "health",
    "Telemetry health",
    "Stethoscope and its scraping: what is lost, what it takes, and how long it takes.",
    (
        Row(
            "At a glance",
            (
                stat(UP),
                stat(WORKING),
                stat(LOST, window="$__range"),
                stat(PRIVATE),
                stat(STORE),
            ),
        ),
        Row(
            "Lost",
            (
                timeseries(
                    "Internal failures",
                    FAILURES,
                    keep=("where",),
                    legend="{{where}}",
                    width=6,
                    bars=True,
                    nothing="none",
                ),
                timeseries(
                    "Refused observations",
                    REFUSED,
                    keep=("metric",),
                    legend="{{metric}}",
                    width=6,
                    bars=True,
                    nothing="none",
                ),
                timeseries("Dropped observations", DROPPED, width=6, bars=True, nothing="none"),
                timeseries(
                    "Overflowed label sets", OVERFLOWED, legend="{{metric}}", width=6, bars=True, nothing="none"
                ),
                timeseries("Skipped files", SKIPPED, legend="{{reason}}", width=6, nothing="none"),
                timeseries(
                    "Refused queue times", REFUSED_TIMES, legend="{{reason}}", width=6, bars=True, nothing="none"
                ),
                timeseries("Lines missing in the request log", LOST_LINES, width=6, bars=True, nothing="none"),
            ),
        ),
        Row(
            "Exports",
            (
                timeseries("Pushed points", POINTS, legend="{{otel_component_type}} {{error_type}}", width=12),
                timeseries(
                    "Lost exports", LOST_EXPORTS, legend="{{exporter}} {{reason}}", width=12, bars=True, nothing="none"
                ),
            ),
        ),
        Row(
            "Size",
            (
                timeseries("Workers", WORKING, keep=(HOST,), legend="{{<host>}}", width=6),
                timeseries("Shared memory", STORE, keep=(HOST,), legend="{{<host>}}", width=6),
                timeseries("Series", SAMPLES, legend="{{<host>}}", width=6),
                timeseries("Duration of scrapes", SCRAPE_SECONDS, legend="{{<host>}}", width=6),
            ),
        ),
    ),
)
