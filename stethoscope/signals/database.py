"""Signals of database work, as the app sees it: queries, requests that make many of them, pools."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from stethoscope.names import (
    DATABASE_UP,
    NAMED_QUERY_DURATION,
    POOL_CONNECTIONS,
    POOL_CREATE_TIME,
    POOL_MAX,
    POOL_OVERFLOW,
    POOL_PENDING,
    POOL_SIZE,
    POOL_TIMEOUTS,
    POOL_USE_TIME,
    POOL_WAIT_TIME,
    POSTGRESQL_BLOCKS,
    POSTGRESQL_CONNECTIONS,
    POSTGRESQL_DEAD_TUPLES,
    POSTGRESQL_LONGEST_TRANSACTION,
    POSTGRESQL_TABLE_SIZE,
    POSTGRESQL_TRANSACTIONS,
    POSTGRESQL_TUPLES,
    POSTGRESQL_WAITING_LOCKS,
    QUERY_DURATION,
    REQUEST_DURATION,
    REQUEST_QUERIES,
    REQUEST_QUERY_TIME,
    RETURNED_ROWS,
    SLOW_QUERY_DURATION,
    SQLITE_SETTINGS,
    SQLITE_SIZE,
)
from stethoscope.names.attributes import SERVICE_LABEL
from stethoscope.signals.promql import (
    Frame,
    amount,
    buckets,
    highest,
    how_many,
    least,
    level,
    mean,
    per_second,
    quantile,
    select,
    share,
    within,
)
from stethoscope.signals.signal import Signal

POOL: Final = "db_client_connection_pool_name"
USED: Final = 'db_client_connection_state="used"'
IDLE: Final = 'db_client_connection_state="idle"'


def slow_share(frame: Frame) -> str:
    """The share of queries that take longer than the threshold for a slow one. Raises ValueError if that is no bucket bound."""
    fast, total = within(_slow(frame), QUERY_DURATION, frame), per_second(QUERY_DURATION, frame)
    return f"1 - {fast} / ({total} > 0)"


def _slow(frame: Frame) -> float:
    bound = frame.thresholds.slow_query.warn
    if bound in QUERY_DURATION.bounds:
        return bound
    given, bounds = "none" if bound is None else f"{bound:g}", ", ".join(f"{one:g}" for one in QUERY_DURATION.bounds)
    raise ValueError(
        f"threshold slow_query={given}, from --threshold or STETHOSCOPE_THRESHOLDS, is not a bucket bound of {QUERY_DURATION.name}, "
        f"so that Prometheus cannot count slow queries: expected one of {bounds}, such as --threshold slow_query=0.1"
    )


def pool_use(frame: Frame) -> str:
    """What part of the connections that it may have is used in the fullest pool; pools without a limit do not count."""
    pools = frame.keep(*frame.target_labels, SERVICE_LABEL, POOL)
    # The limit has no state.
    limit = level(POOL_MAX, replace(pools, matchers=tuple(one for one in frame.matchers if one != USED)))
    by = f" by ({', '.join(frame.by)})" if frame.by else ""
    return f"max{by} ({level(POOL_CONNECTIONS, pools.where(USED))} / ({limit} > 0))"


QUERIES: Final = Signal(
    "Queries",
    "How many database operations are there, of which kind?",
    "ops",
    lambda frame: per_second(QUERY_DURATION, frame),
)
QUERY_P50: Final = Signal(
    "p50", "How long do database operations take?", "s", lambda frame: quantile(0.5, QUERY_DURATION, frame)
)
QUERY_P95: Final = Signal(
    "p95", QUERY_P50.question, "s", lambda frame: quantile(0.95, QUERY_DURATION, frame), "query_p95"
)
QUERY_P99: Final = Signal("p99", QUERY_P50.question, "s", lambda frame: quantile(0.99, QUERY_DURATION, frame))
QUERY_DURATIONS: Final = Signal(
    "Durations",
    "How are the durations of database operations distributed?",
    "s",
    lambda frame: buckets(QUERY_DURATION, frame),
)
SLOW_SHARE: Final = Signal(
    "Slow queries",
    "What share of database operations is slower than the threshold for a slow one?",
    "percentunit",
    slow_share,
    "slow_query_ratio",
)
QUERY_ERRORS: Final = Signal(
    "Failed queries",
    "Which database operations fail?",
    "ops",
    lambda frame: per_second(QUERY_DURATION, frame.where('error_type!=""').keep("error_type")),
)
QUERY_TIME: Final = Signal(
    "Time in queries",
    "On which tables does the database's time go: how many operations run at once, on average?",
    "short",
    lambda frame: amount(QUERY_DURATION, frame),
)
ROWS: Final = Signal(
    "Rows of an operation",
    "How many rows does an operation return, on average?",
    "short",
    lambda frame: mean(RETURNED_ROWS, frame),
)
QUERIES_OF_REQUEST: Final = Signal(
    "Queries of a request, p95",
    "Which routes make many queries for one request? Often one query would do (N+1).",
    "short",
    lambda frame: quantile(0.95, REQUEST_QUERIES, frame.keep("http_route")),
)
QUERY_TIME_OF_REQUEST: Final = Signal(
    "Database time of a request, p95",
    "On which routes does a request wait long for the database?",
    "s",
    lambda frame: quantile(0.95, REQUEST_QUERY_TIME, frame.keep("http_route")),
)
DATABASE_SHARE: Final = Signal(
    "Database's share of requests",
    "What share of all requests' time is spent in the database?",
    "percentunit",
    lambda frame: share(amount(REQUEST_QUERY_TIME, frame), amount(REQUEST_DURATION, frame)),
)
SLOW_COUNT: Final = Signal(
    "Times", "Which statements are slow?", "short", lambda frame: how_many(SLOW_QUERY_DURATION, frame)
)
SLOW_P95: Final = Signal("p95", SLOW_COUNT.question, "s", lambda frame: quantile(0.95, SLOW_QUERY_DURATION, frame))
NAMED: Final = Signal(
    "Work timed by name",
    "How long does the database work take that the app times by name?",
    "s",
    lambda frame: quantile(0.95, NAMED_QUERY_DURATION, frame.keep("name")),
)

POOL_USE: Final = Signal(
    "Pool in use",
    "What share of the connections that it may have is in use, in the fullest pool? Above 90 % requests begin to wait.",
    "percentunit",
    pool_use,
    "pool_use",
)
CONNECTIONS: Final = Signal(
    "in use",
    "How many connections are in use, of how many?",
    "short",
    lambda frame: level(POOL_CONNECTIONS, frame.where(USED)),
)
CONNECTIONS_IDLE: Final = Signal("idle", "", "short", lambda frame: level(POOL_CONNECTIONS, frame.where(IDLE)))
CONNECTIONS_MAX: Final = Signal("at most", "", "short", lambda frame: level(POOL_MAX, frame))
CONNECTIONS_KEPT: Final = Signal("kept open", "", "short", lambda frame: level(POOL_SIZE, frame))
CONNECTIONS_OVER: Final = Signal("overflow", "", "short", lambda frame: level(POOL_OVERFLOW, frame))
WAITING: Final = Signal(
    "Waiting for a connection",
    "How many threads and tasks wait for a connection?",
    "short",
    lambda frame: level(POOL_PENDING, frame),
)
TIMEOUTS: Final = Signal(
    "Timeouts",
    "How many waits for a connection ended without one?",
    "short",
    lambda frame: how_many(POOL_TIMEOUTS, frame),
)
WAIT_P95: Final = Signal(
    "wait p95",
    "How long does it take to get a connection, and how long is it kept? A pool is used up by what is kept long.",
    "s",
    lambda frame: quantile(0.95, POOL_WAIT_TIME, frame),
)
USE_P95: Final = Signal("use p95", WAIT_P95.question, "s", lambda frame: quantile(0.95, POOL_USE_TIME, frame))
CREATE_P95: Final = Signal(
    "Connecting p95",
    "How long does it take to open a connection to the database?",
    "s",
    lambda frame: quantile(0.95, POOL_CREATE_TIME, frame),
)


def unlimited_connections(frame: Frame) -> str:
    """Connections in use of pools that have no limit, so that no share of it can be told."""
    used, on = level(POOL_CONNECTIONS, frame.where(USED)), ", ".join(frame.by)
    return f"{used} unless on ({on}) ({level(POOL_MAX, frame)} > 0)"


UNLIMITED: Final = Signal(
    "Connections without a limit",
    "How many connections are in use in pools without a limit?",
    "short",
    unlimited_connections,
    "database_connections",
)


def trouble_with_pool(frame: Frame) -> str:
    """What waits for a connection, or waited in vain."""
    timeouts = f"increase({select(POOL_TIMEOUTS, frame, '_total')}{frame.range}) > 0"
    return f"{level(POOL_PENDING, frame)} > 0 or sum by ({', '.join(frame.by)}) ({timeouts})"


# What databases say of themselves. Each host that asks is told the same, so that nothing is added up.

UP: Final = Signal(
    "Databases up", "Does each database answer?", "short", lambda frame: least(DATABASE_UP, frame.keep(POOL))
)
SERVER_CONNECTIONS: Final = Signal(
    "Connections of all its users",
    "How many connections has the database, in which state, of all its users?",
    "short",
    lambda frame: highest(POSTGRESQL_CONNECTIONS, frame.keep(POOL, "state")),
)
TRANSACTIONS: Final = Signal(
    "Transactions",
    "How many transactions are committed and rolled back?",
    "ops",
    lambda frame: per_second(POSTGRESQL_TRANSACTIONS, frame.keep(POOL, "outcome")),
)
TUPLES: Final = Signal(
    "Rows",
    "How many rows are read and written? Many returned for few fetched are scans without an index.",
    "ops",
    lambda frame: per_second(POSTGRESQL_TUPLES, frame.keep(POOL, "operation")),
)
BLOCKS_FOUND: Final = Signal(
    "Blocks found in memory",
    "What share of the blocks does the database find in its memory?",
    "percentunit",
    lambda frame: share(
        per_second(POSTGRESQL_BLOCKS, frame.where('source="hit"').keep(POOL)),
        per_second(POSTGRESQL_BLOCKS, frame.keep(POOL)),
    ),
)
LOCKS: Final = Signal(
    "Locks waited for",
    "Do transactions wait for each other?",
    "short",
    lambda frame: highest(POSTGRESQL_WAITING_LOCKS, frame.keep(POOL)),
)
LONGEST: Final = Signal(
    "Oldest transaction",
    "How long is the oldest transaction open? It keeps vacuum from clearing rows away.",
    "s",
    lambda frame: highest(POSTGRESQL_LONGEST_TRANSACTION, frame.keep(POOL)),
)
DEAD_ROWS: Final = Signal(
    "Dead rows",
    "Does vacuum keep up: how many dead rows have the largest tables?",
    "short",
    lambda frame: highest(POSTGRESQL_DEAD_TUPLES, frame.keep(POOL, "table")),
)
TABLE_SIZES: Final = Signal(
    "Sizes of tables",
    "Which tables are large, and which grow?",
    "bytes",
    lambda frame: highest(POSTGRESQL_TABLE_SIZE, frame.keep(POOL, "table")),
)
SQLITE_BYTES: Final = Signal(
    "Size", "How large is the SQLite database?", "bytes", lambda frame: highest(SQLITE_SIZE, frame.keep(POOL))
)
SQLITE_MODES: Final = Signal(
    "Settings",
    "Which settings does a new connection to SQLite find? With the journal mode wal, readers and a writer do not wait for each other.",
    "short",
    lambda frame: highest(SQLITE_SETTINGS, frame.keep(POOL, "journal_mode", "synchronous")),
)
