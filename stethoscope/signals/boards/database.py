"""Database: what it costs the app, and what its pools are short of."""

from __future__ import annotations

from typing import Final

from stethoscope.names import POOL_CONNECTIONS
from stethoscope.signals.board import Board, Row, Variable
from stethoscope.signals.database import (
    BLOCKS_FOUND,
    CONNECTIONS,
    CONNECTIONS_IDLE,
    CONNECTIONS_KEPT,
    CONNECTIONS_MAX,
    CONNECTIONS_OVER,
    CREATE_P95,
    DATABASE_SHARE,
    DEAD_ROWS,
    LOCKS,
    LONGEST,
    NAMED,
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
    SERVER_CONNECTIONS,
    SLOW_COUNT,
    SLOW_P95,
    SLOW_SHARE,
    SQLITE_BYTES,
    SQLITE_MODES,
    TABLE_SIZES,
    TIMEOUTS,
    TRANSACTIONS,
    TUPLES,
    UP,
    USE_P95,
    WAIT_P95,
    WAITING,
)
from stethoscope.signals.panels import Column, heatmap, stat, table, timeseries

_POOLS: Final = (f'{POOL}=~"$pool"',)
_POOL: Final = f"{{{{{POOL}}}}}"
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
                timeseries("Work timed by name, p95", NAMED, legend="{{name}}", width=24, height=6, nothing="none"),
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
                timeseries("Pools in use", POOL_USE, keep=(POOL,), legend=_POOL),
                timeseries("Waiting for a connection", WAITING, keep=(POOL,), legend=_POOL),
                timeseries("Timeouts of pools", TIMEOUTS, keep=(POOL,), legend=_POOL, bars=True, nothing="none"),
                timeseries("Waiting for and using a connection", WAIT_P95, USE_P95),
                timeseries("Connecting p95", CREATE_P95, keep=(POOL,), legend=_POOL),
            ),
            matchers=_POOLS,
        ),
        Row(
            "PostgreSQL",
            (
                timeseries("Databases up", UP, legend=_POOL),
                timeseries(
                    "Connections of all its users", SERVER_CONNECTIONS, legend=f"{_POOL} {{{{state}}}}", stacked=True
                ),
                timeseries("Transactions", TRANSACTIONS, legend=f"{_POOL} {{{{outcome}}}}"),
                timeseries("Rows", TUPLES, legend=f"{_POOL} {{{{operation}}}}"),
                timeseries("Blocks found in memory", BLOCKS_FOUND, legend=_POOL),
                timeseries("Locks waited for", LOCKS, legend=_POOL),
                timeseries("Oldest transaction", LONGEST, legend=_POOL),
                timeseries("Dead rows", DEAD_ROWS, legend=f"{_POOL} {{{{table}}}}"),
                timeseries("Sizes of tables", TABLE_SIZES, legend=f"{_POOL} {{{{table}}}}"),
            ),
            collapsed=True,
            matchers=_POOLS,
        ),
        Row(
            "SQLite",
            (
                timeseries("Size of SQLite", SQLITE_BYTES, legend=_POOL, width=12),
                timeseries(
                    "Settings of SQLite",
                    SQLITE_MODES,
                    legend=f"{_POOL} {{{{journal_mode}}}} {{{{synchronous}}}}",
                    width=12,
                ),
            ),
            collapsed=True,
            matchers=_POOLS,
        ),
    ),
    (Variable("pool", "Pool", POOL_CONNECTIONS, POOL),),
)
