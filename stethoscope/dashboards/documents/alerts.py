"""What is beyond a threshold. Prometheus' rules ask the same, of the same table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, TypedDict

from stethoscope import names
from stethoscope.dashboards.documents.database import all_operations, pools
from stethoscope.dashboards.documents.performance import endpoints, totals
from stethoscope.dashboards.documents.reading import first
from stethoscope.dashboards.documents.system import lag, machine, workers
from stethoscope.dashboards.documents.window import Window, WindowName, described
from stethoscope.store.snapshot import Snapshot
from stethoscope.thresholds import Level, Threshold, Thresholds

_FEW: Final = 20
"""With fewer than this in a window, a ratio or a quantile is chance."""

Measured = tuple[str, str, float]
"""The name of a threshold, what was measured (a route, a pool; empty for the whole service), the value."""


class Alert(TypedDict):
    """A number that is beyond a threshold."""

    threshold: Annotated[str, "Name of the threshold, as in the setting."]
    what: Annotated[str, "What the number is."]
    subject: Annotated[str, "Of what it is: a route, a pool, a worker; empty for the whole service."]
    level: Annotated[Level, "How bad it is: warn or critical."]
    value: Annotated[float, "The number now, in its unit."]
    limit: Annotated[float, "The threshold that it is beyond, in the same unit."]
    unit: Annotated[str, "seconds, ratio (0 to 1), count, or another word."]


class Alerts(TypedDict):
    """All numbers that are beyond a threshold."""

    window: Window
    items: Annotated[list[Alert], "The critical ones first."]


class Limits(TypedDict):
    """A threshold."""

    what: Annotated[str, "What it is about."]
    unit: Annotated[str, "seconds, ratio (0 to 1), count, or another word."]
    warn: Annotated[float | None, "Beyond this it wants to be looked at."]
    critical: Annotated[float | None, "Beyond this it wants to be acted on."]
    below: Annotated[bool, "Whether it is small numbers that are trouble."]


def limits(thresholds: Thresholds) -> dict[str, Limits]:
    """The table, by name."""
    table: dict[str, Threshold] = thresholds._asdict()
    return {
        name: Limits(what=one.what, unit=one.unit, warn=one.warn, critical=one.critical, below=one.below)
        for name, one in table.items()
    }


def alerts_document(name: WindowName, window: Snapshot, thresholds: Thresholds) -> Alerts:
    return Alerts(window=described(name, window), items=alerts(window, thresholds))


def alerts(window: Snapshot, thresholds: Thresholds) -> list[Alert]:
    """Everything that is beyond its threshold in this window, worst first."""
    table: dict[str, Threshold] = thresholds._asdict()
    found = [
        alert
        for name, subject, value in _measured(window)
        if (alert := _alert(name, table[name], subject, value)) is not None
    ]
    return sorted(found, key=lambda one: (one["level"] is not Level.CRITICAL, one["threshold"], one["subject"]))


def _alert(name: str, threshold: Threshold, subject: str, value: float) -> Alert | None:
    level = threshold.level(value)
    if level is Level.OK:
        return None
    limit = threshold.critical if level is Level.CRITICAL else threshold.warn
    return Alert(
        threshold=name,
        what=threshold.what,
        subject=subject,
        level=level,
        value=value,
        limit=limit or 0.0,
        unit=threshold.unit,
    )


def _measured(window: Snapshot) -> Iterator[Measured]:
    yield from _of_service(window)
    yield from _of_requests(window)
    yield from _of_database(window)
    yield from _of_machine(window)


def _of_service(window: Snapshot) -> Iterator[Measured]:
    """Without requests it is a script, which may end."""
    living = first(window, names.WORKERS)
    if living is not None and window.family(names.REQUEST_DURATION).series:
        yield "workers", "", living


def _of_requests(window: Snapshot) -> Iterator[Measured]:
    whole = totals(window)
    if whole["count"] >= _FEW:
        yield "request_p95", "", whole["p95_seconds"] or 0.0
        yield "error_ratio", "", whole["error_ratio"]
        yield "disconnect_ratio", "", whole["disconnect_count"] / whole["count"]
    for endpoint in endpoints(window):
        if endpoint["count"] >= _FEW:
            subject = f"{endpoint['method']} {endpoint['route']}"
            yield "request_p95", subject, endpoint["p95_seconds"] or 0.0
            yield "error_ratio", subject, endpoint["error_ratio"]


def _of_database(window: Snapshot) -> Iterator[Measured]:
    operations = all_operations(window)
    if operations["count"] >= _FEW:
        yield "query_p95", "", operations["p95_seconds"] or 0.0
    for pool in pools(window):
        if pool["use_ratio"] is not None:
            yield "pool_use", pool["name"], pool["use_ratio"]


def _of_machine(window: Snapshot) -> Iterator[Measured]:
    here = machine(window)
    if here["cpu_use_ratio"] is not None:
        yield "cpu_use", "", here["cpu_use_ratio"]
    if here["memory_use_ratio"] is not None:
        yield "memory_use", "", here["memory_use_ratio"]
    for disk in here["disks"]:
        yield "disk_use", disk["mountpoint"], disk["use_ratio"]
    lags = lag(window)
    if lags["count"] >= _FEW and lags["p99_seconds"] is not None:
        yield "event_loop_lag_p99", "", lags["p99_seconds"]
    for worker in workers(window):
        if worker["open_files"] and worker["open_files_limit"]:
            yield "open_files", f"worker {worker['pid']}", worker["open_files"] / worker["open_files_limit"]
