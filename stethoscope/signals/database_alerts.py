"""Alerts on databases and their pools."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from stethoscope.names import QUERY_DURATION
from stethoscope.signals.alert import TRAFFIC, Alert, Condition, beyond
from stethoscope.signals.config import Config
from stethoscope.signals.database import POOL, POOL_USE, QUERY_P95, SLOW_SHARE, UNLIMITED, trouble_with_pool
from stethoscope.signals.promql import Frame, per_second
from stethoscope.signals.signal import HOST

_HOLDS: Final = {"warn": "5m", "critical": "5m"}


def _asked(frame: Frame) -> str:
    """Guard: there are enough queries for a share or a quantile to mean something."""
    return f"({per_second(QUERY_DURATION, frame)}) > {TRAFFIC:g}"


def _saturated(config: Config) -> Iterable[Condition]:
    """Pools with a limit of their own have one rule each, or none if all may be used, and are left out of those for all."""
    frame = config.in_rules().keep(config.instance_label, POOL)
    others = frame.where(*(f'{POOL}!="{name}"' for name, _ in config.pools))
    for level, severity in (("warn", "warning"), ("critical", "critical")):
        if (limit := getattr(config.thresholds.pool_use, level)) is not None:
            yield Condition(severity, f"({POOL_USE.expression(others)}) > {limit:.12g}", _HOLDS[level])
    for name, limit in config.pools:
        if limit == 1:
            continue
        one = POOL_USE.expression(frame.where(f'{POOL}="{name}"'))
        # The label is there anyway, and tells the rules apart.
        yield Condition("warning", f"({one}) > {limit:.12g}", _HOLDS["warn"], {POOL: name})


DATABASE_ALERTS: Final = (
    Alert(
        "ASGIDBPoolSaturated",
        _saturated,
        "{{ $value | humanizePercentage }} of the connections of pool {{ $labels.db_client_connection_pool_name }} of <service> "
        "are in use",
        "A pool has few connections left. Requests that need one will wait, and then fail.",
        "None yet. Each further request at once may be one that waits.",
        (
            "Database, “Waiting for and using a connection”: a long use means that connections are held while something else "
            "is done, such as a call to another service inside a transaction.",
            "“Time in queries”: did a query become slow? Then fewer requests fit through the same pool.",
            "Count what all workers of all hosts may open together against what the database allows.",
        ),
        (
            "Hold connections for a shorter time: that helps at any size.",
            "Raise `pool_size` if the database has room for it on every worker.",
        ),
        board="database",
        labels=(HOST, POOL),
    ),
    Alert(
        "ASGIDBPoolWaiting",
        lambda config: [
            Condition("critical", trouble_with_pool(config.in_rules().keep(config.instance_label, POOL)), "2m")
        ],
        "Requests of <service> wait for a connection of pool {{ $labels.db_client_connection_pool_name }}",
        "For minutes there have been threads or tasks that wait for a connection, or waited in vain.",
        "Requests are slow by what they wait, and fail when the pool's timeout is over.",
        (
            "As for ASGIDBPoolSaturated.",
            "Are connections lost, that is taken and never given back? Then “in use” never falls.",
        ),
        ("As for ASGIDBPoolSaturated.", "Lost connections: restart the worker, and find the code that does not close."),
        board="database",
        labels=(HOST, POOL),
    ),
    Alert(
        "ASGIDBConnectionsHigh",
        lambda config: [
            Condition(severity, f"({UNLIMITED.expression(frame)}) > {limit:.12g}", "5m")
            for severity, limit in (
                ("warning", config.thresholds.database_connections.warn),
                ("critical", config.thresholds.database_connections.critical),
            )
            if limit is not None
            for frame in (config.in_rules().keep(config.instance_label, POOL),)
        ],
        "{{ $value | humanize }} connections are in use in a pool of <service> that has no limit",
        "Many connections are in use in a pool without a limit, of which no share can be told.",
        "The database may run out of connections for everybody.",
        ("Database, “Connections”: a rise that does not end is a leak, a plateau is load.",),
        ("Give the pool a limit.",),
        board="database",
        labels=(HOST, POOL),
    ),
    Alert(
        "ASGISlowQueries",
        beyond(SLOW_SHARE, {"warn": "10m", "critical": "10m"}, guard=_asked),
        "{{ $value | humanizePercentage }} of the queries of <service> are slow",
        "Too many database operations take longer than the threshold for a slow one.",
        "Requests that make them are slow, and hold connections that others wait for.",
        (
            "Database, “Slow queries”: which statement, on which route?",
            "Ask the database for its plan. A sequential scan of a table that has grown is the usual find.",
        ),
        ("Add the index, or ask for less.",),
        board="database",
    ),
    Alert(
        "ASGIDBLatency",
        beyond(QUERY_P95, {"warn": "10m", "critical": "5m"}, guard=_asked),
        "The slowest 5 % of queries of <service> take longer than {{ $value | humanizeDuration }}",
        "The 95th percentile of database operations is above its budget.",
        "Every request that asks the database is slow.",
        (
            "All statements at once: the database or the way to it is slow; look at its own processor, locks and disks.",
            "One table: as for ASGISlowQueries.",
        ),
        ("As for ASGISlowQueries.",),
        board="database",
    ),
)
