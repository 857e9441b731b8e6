"""When a number is trouble: the one table behind the live page's colours, the API's alerts, Prometheus' rules,
Grafana's thresholds and the runbook.

    Thresholds().request_p95.level(0.3)                                  # Level.WARN
    Thresholds.resolve({"request_p95": (0.3, 0.8), "cpu_use": "0.7:none"})   # what a user changed
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    CRITICAL = "critical"


RATIO: Final = "ratio"
"""Unit of a share of something, from 0 to 1."""


class Threshold(NamedTuple):
    """Where a number stops being healthy. Beyond ``warn`` it needs a look, beyond ``critical`` it needs action.

    ``unit`` is "seconds", "ratio" (0–1), "count", or another word for people. ``below`` says that
    small numbers are the trouble. A level that is None is not used.
    """

    what: str
    unit: str
    warn: float | None
    critical: float | None = None
    below: bool = False

    def level(self, value: float) -> Level:
        """The level that ``value`` is at. A value that equals a threshold is still on its good side; NaN is OK."""
        for level, limit in ((Level.CRITICAL, self.critical), (Level.WARN, self.warn)):
            if limit is not None and (value < limit if self.below else value > limit):
                return level
        return Level.OK


class Thresholds(NamedTuple):
    """All thresholds, by name, with their defaults.

    Nothing that we measure is held against those of caches, rate limits, uploads and web vitals: the API has them for others.
    """

    request_p95: Threshold = Threshold("request duration, 95th percentile: the budget", "seconds", 0.2, 0.5)
    slow_requests: Threshold = Threshold("request duration, 95th percentile: the alert", "seconds", 1.0)
    slow_route: Threshold = Threshold("request duration on one route, 95th percentile: the alert", "seconds", 2.0)
    error_ratio: Threshold = Threshold("requests that failed on our side", RATIO, 0.01, 0.05)
    exceptions: Threshold = Threshold("unhandled exceptions of one type in ten minutes", "count", 5)
    disconnect_ratio: Threshold = Threshold("requests whose client left before the end", RATIO, 0.1)
    traffic_left: Threshold = Threshold("requests, of what they were an hour ago", RATIO, 0.2, below=True)
    query_p95: Threshold = Threshold("database query, 95th percentile", "seconds", 0.05, 0.2)
    slow_query: Threshold = Threshold("a single database query", "seconds", 0.1)
    slow_query_ratio: Threshold = Threshold("database queries that are slow ones", RATIO, 0.05)
    pool_use: Threshold = Threshold("connections of a pool in use", RATIO, 0.75, 0.9)
    database_connections: Threshold = Threshold("active database connections", "count", 50)
    rollback_ratio: Threshold = Threshold("transactions rolled back", RATIO, 0.1)
    cache_p95: Threshold = Threshold("cache operation, 95th percentile", "seconds", 0.01, 0.05)
    cache_hit_ratio: Threshold = Threshold("lookups that a cache answers", RATIO, 0.7, 0.5, below=True)
    rate_limit_left: Threshold = Threshold("what an upstream's rate limit leaves", RATIO, 0.2, 0.1, below=True)
    cpu_use: Threshold = Threshold("processor time of what may be used", RATIO, 0.8, 0.95)
    memory_use: Threshold = Threshold("memory of what may be used", RATIO, 0.85, 0.95)
    disk_use: Threshold = Threshold("disk space in use", RATIO, 0.85, 0.95)
    open_files: Threshold = Threshold("file descriptors of what may be open", RATIO, 0.8, 0.9)
    event_loop_lag_p99: Threshold = Threshold("event-loop lag, 99th percentile", "seconds", 0.05, 0.25)
    workers: Threshold = Threshold("living workers of a service that answers requests", "count", None, 1, below=True)
    restarts: Threshold = Threshold("starts of each worker in a quarter of an hour", "count", 2)
    scrape_samples: Threshold = Threshold("series of one scraped target", "count", 20000)
    upload_per_megabyte: Threshold = Threshold("upload, per megabyte", "seconds", 5, 15)
    largest_contentful_paint: Threshold = Threshold("largest contentful paint (LCP)", "seconds", 2.5, 4)
    first_input_delay: Threshold = Threshold("first input delay (FID)", "seconds", 0.1, 0.3)
    layout_shift: Threshold = Threshold("cumulative layout shift (CLS)", "score", 0.1, 0.25)

    @classmethod
    def resolve(cls, changes: Mapping[str, Change]) -> Thresholds:
        """The defaults with a user's changes. Raises `ThresholdError` listing every mistake at once."""
        return cls().changed(changes)

    def changed(self, changes: Mapping[str, Change]) -> Thresholds:
        """These with a user's changes; a level that a change leaves out stays as it is here. Raises as `resolve` does."""
        table, mistakes = self, []
        for name, change in changes.items():
            try:
                table = table._replace(**{name: _changed(table, name, change)})
            except ThresholdError as mistake:
                mistakes.append(str(mistake))
        if mistakes:
            raise ThresholdError("; ".join(mistakes))
        return table


DEFAULTS: Final = Thresholds()

Change = str | float | tuple[float | None, float | None]
"""What a user writes for one threshold: ``(warn, critical)``, ``warn`` alone, or a text such as ``0.3:0.8``,
in which nothing stands for the default and ``none`` for a level that is not wanted."""


class ThresholdError(ValueError):
    """A threshold is wrong: its name, what came, what is accepted."""


def parse(text: str) -> dict[str, Change]:
    """``"request_p95=0.3:0.8, cpu_use=0.7"`` as changes for `Thresholds.resolve`. Raises `ThresholdError`."""
    changes: dict[str, Change] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, levels = part.partition("=")
        if not equals:
            raise ThresholdError(
                f"{part!r} is not a threshold: expected NAME=WARN:CRITICAL, such as request_p95=0.3:0.8"
            )
        changes[name.strip()] = levels.strip()
    return changes


def _changed(table: Thresholds, name: str, change: Change) -> Threshold:
    if name not in Thresholds._fields:
        raise ThresholdError(f"unknown threshold {name!r}: expected one of {', '.join(Thresholds._fields)}")
    before: Threshold = getattr(table, name)
    try:
        warn, critical = _levels(change, before)
    except (TypeError, ValueError):
        raise ThresholdError(
            f"{name}={change!r} is not valid: expected WARN:CRITICAL, such as 0.3:0.8, or a pair of numbers"
        ) from None
    after = before._replace(warn=warn, critical=critical)
    if wrong := _wrong(after):
        raise ThresholdError(f"{name}={change!r} is not valid: {wrong}")
    return after


def _levels(change: Change, before: Threshold) -> tuple[float | None, float | None]:
    """Raises TypeError or ValueError for what does not have the shape of a change."""
    if isinstance(change, str):
        warn, _, critical = change.partition(":")
        return _level(warn, before.warn), _level(critical, before.critical)
    if isinstance(change, tuple):
        first, second = change
        return _number(first), _number(second)
    return _number(change), before.critical


def _level(text: str, default: float | None) -> float | None:
    text = text.strip().lower()
    if not text:
        return default
    return None if text == "none" else float(text)


def _number(value: float | None) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return value


def _wrong(threshold: Threshold) -> str | None:
    """What does not fit, in words; None where all does."""
    levels = [level for level in (threshold.warn, threshold.critical) if level is not None]
    if not all(math.isfinite(level) and level > 0 for level in levels):
        return f"expected numbers above 0, in {threshold.unit}"
    if threshold.unit == RATIO and any(level > 1 for level in levels):
        return "expected shares from 0 to 1, such as 0.05 for 5 %"
    if len(levels) == 2 and (levels[0] <= levels[1] if threshold.below else levels[0] >= levels[1]):
        order = "below" if threshold.below else "above"
        return f"expected critical to be {order} warn, got warn {levels[0]:g} and critical {levels[1]:g}"
    return None
