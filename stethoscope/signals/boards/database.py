"""Database: what it costs the app, and what its pools are short of."""

from __future__ import annotations

from typing import Final

from stethoscope.names import POOL_CONNECTIONS
from stethoscope.signals.board import Board, Row, Variable
from stethoscope.signals.database import (
    CONNECTIONS,
    CONNECTIONS_IDLE,
    CONNECTIONS_KEPT,
    CONNECTIONS_MAX,
    CONNECTIONS_OVER,
    CREATE_P95,
    DATABASE_SHARE,
    POOL,
    POOL_USE,
    QUERIES,
    QUERIES_OF_REQUEST,
    QUERY_DURATIONS,
    QUERY_ERRORS,
    QUERY_P50,
    QUERY_P95,
    QUERY_P99,
    QUERY_TIME,
    QUERY_TIME_OF_REQUEST,
    ROWS,
    SLOW_COUNT,
    SLOW_P95,
    SLOW_SHARE,
    TIMEOUTS,
    USE_P95,
    WAIT_P95,
    WAITING,
)
from stethoscope.signals.panels import Column, heatmap, stat, table, timeseries

_POOLS: Final = (f'{POOL}=~"$pool"',)
_OPERATION: Final = "{{db_operation_name}} {{db_collection_name}}"

DATABASE: Final = Board(
    "database",
    "Database",
    "Queries, and the pools of connections that they need, as the app sees them.",
    (
        Row(
            "At a glance",
            (
                stat(QUERIES, nothing="no queries"),
                stat(QUERY_P95, "Query p95", nothing="no queries"),
                stat(SLOW_SHARE, decimals=2, nothing="no queries"),
                stat(DATABASE_SHARE, "In requests", decimals=1),
                stat(POOL_USE),
                stat(WAITING, "Waiting"),
                stat(TIMEOUTS, window="$__range"),
                stat(CREATE_P95, "Connect p95"),
            ),
        ),
        Row(
            "Queries",
            (
                timeseries(
                    "Queries",
                    QUERIES,
                    keep=("db_operation_name", "db_collection_name"),
                    legend=_OPERATION,
                    top=10,
                    stacked=True,
                ),
                timeseries("Durations of queries", QUERY_P50, QUERY_P95, QUERY_P99, exemplars=True),
                heatmap("Distribution of durations of queries", QUERY_DURATIONS),
                timeseries(
                    "Time in queries",
                    QUERY_TIME,
                    keep=("db_operation_name", "db_collection_name"),
                    legend=_OPERATION,
                    top=10,
                    stacked=True,
                ),
                timeseries("Failed queries", QUERY_ERRORS, legend="{{error_type}}", bars=True, nothing="none"),
                timeseries("Rows of an operation", ROWS, keep=("db_operation_name",), legend="{{db_operation_name}}"),
            ),
        ),
        Row(
            "Requests",
            (
                timeseries("Queries of a request, p95", QUERIES_OF_REQUEST, legend="{{http_route}}", width=12),
                timeseries("Database time of a request, p95", QUERY_TIME_OF_REQUEST, legend="{{http_route}}", width=12),
                table(
                    "Slow queries",
                    "Which statements are slow, and on which routes?",
                    (Column("Times", SLOW_COUNT, bar=True), Column("p95", SLOW_P95)),
                    {"db_query_fingerprint": "Statement", "http_route": "Route"},
                ),
            ),
        ),
        Row(
            "Pools",
            (
                timeseries(
                    "Connections",
                    CONNECTIONS,
                    CONNECTIONS_IDLE,
                    CONNECTIONS_MAX,
                    CONNECTIONS_KEPT,
                    CONNECTIONS_OVER,
                ),
                timeseries("Pools in use", POOL_USE, keep=(POOL,), legend=f"{{{{{POOL}}}}}"),
                timeseries("Waiting for a connection", WAITING, keep=(POOL,), legend=f"{{{{{POOL}}}}}"),
                timeseries(
                    "Timeouts of pools", TIMEOUTS, keep=(POOL,), legend=f"{{{{{POOL}}}}}", bars=True, nothing="none"
                ),
                timeseries("Waiting for and using a connection", WAIT_P95, USE_P95),
                timeseries("Connecting p95", CREATE_P95, keep=(POOL,), legend=f"{{{{{POOL}}}}}"),
            ),
            matchers=_POOLS,
        ),
    ),
    (Variable("pool", "Pool", POOL_CONNECTIONS, POOL),),
)
