"""Metrics of databases themselves, as they report them when asked (the instrument ``database-vitals``)."""

from __future__ import annotations

from stethoscope.names.metric import Kind, Merge, Metric

_POOL = "db_client_connection_pool_name"


def _gauge(name: str, help: str, *labels: str, unit: str = "") -> Metric:
    otel = name.replace("_", ".").removesuffix(f".{unit}")
    return Metric(name, Kind.GAUGE, help, (_POOL, *labels), unit, merge=Merge.LIVEMOSTRECENT, otel=otel)


def _counter(name: str, help: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, help, (_POOL, *labels), otel=name.replace("_", "."))


DATABASE_UP = _gauge(
    "stethoscope_database_up", "1 where the database answered when it was last asked for its vitals, else 0."
)
POSTGRESQL_CONNECTIONS = _gauge(
    "stethoscope_postgresql_connections", "Connections to the database, of all its users, by state.", "state"
)
POSTGRESQL_TRANSACTIONS = _counter(
    "stethoscope_postgresql_transactions", "Transactions of the database, by outcome (commit, rollback).", "outcome"
)
POSTGRESQL_TUPLES = _counter(
    "stethoscope_postgresql_tuples",
    "Rows of the database by what was done with them (returned, fetched, inserted, updated, deleted).",
    "operation",
)
POSTGRESQL_BLOCKS = _counter(
    "stethoscope_postgresql_blocks",
    "Blocks that were needed, by where they were found (hit, read): the cache hit ratio.",
    "source",
)
POSTGRESQL_WAITING_LOCKS = _gauge("stethoscope_postgresql_waiting_locks", "Locks that are waited for.")
POSTGRESQL_LONGEST_TRANSACTION = _gauge(
    "stethoscope_postgresql_longest_transaction_seconds", "Age of the oldest open transaction.", unit="seconds"
)
POSTGRESQL_DEAD_TUPLES = _gauge(
    "stethoscope_postgresql_dead_tuples",
    "Dead rows that vacuum has not cleared away, of the twenty largest tables.",
    "table",
)
POSTGRESQL_TABLE_SIZE = _gauge(
    "stethoscope_postgresql_table_size_bytes",
    "Size of the twenty largest tables with their indexes.",
    "table",
    unit="bytes",
)
SQLITE_SIZE = _gauge("stethoscope_sqlite_size_bytes", "Size of the database, free pages included.", unit="bytes")
SQLITE_SETTINGS = _gauge(
    "stethoscope_sqlite_settings", "1, with the settings that a new connection finds.", "journal_mode", "synchronous"
)
