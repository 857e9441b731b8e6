"""Metrics of the app's database work, as the app sees it (Database semantic conventions, "Metrics")."""

from __future__ import annotations

from stethoscope.names.metric import Kind, Metric

# Database semantic conventions, "Metric: db.client.operation.duration", explicit bucket boundaries.
QUERY_BOUNDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
# "Metric: db.client.response.returned_rows"; also for numbers of queries in a request.
COUNT_BOUNDS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0)

_POOL = ("db_client_connection_pool_name",)


def _seconds(name: str, help: str, labels: tuple[str, ...], otel: str) -> Metric:
    return Metric(name, Kind.HISTOGRAM, help, labels, "seconds", QUERY_BOUNDS, otel=otel)


QUERY_DURATION = _seconds(
    "db_client_operation_duration_seconds",
    "Duration of database operations, from sending a statement to its result being ready.",
    ("db_system_name", "db_operation_name", "db_collection_name", "error_type"),
    "db.client.operation.duration",
)
RETURNED_ROWS = Metric(
    "db_client_response_returned_rows",
    Kind.HISTOGRAM,
    "Rows that operations returned, where the driver knows their number.",
    ("db_system_name", "db_operation_name", "db_collection_name"),
    bounds=COUNT_BOUNDS,
    otel="db.client.response.returned_rows",
)
REQUEST_QUERIES = Metric(
    "stethoscope_http_server_database_queries",
    Kind.HISTOGRAM,
    "Database operations of one request, of requests that have any.",
    ("http_route",),
    bounds=COUNT_BOUNDS,
    otel="stethoscope.http.server.database.queries",
)
REQUEST_QUERY_TIME = _seconds(
    "stethoscope_http_server_database_duration_seconds",
    "Time in database operations of one request, of requests that have any.",
    ("http_route",),
    "stethoscope.http.server.database.duration",
)
SLOW_QUERY_DURATION = _seconds(
    "stethoscope_db_slow_query_duration_seconds",
    "Duration of operations above the threshold for slow ones, by fingerprint: the statement without its literals.",
    ("db_system_name", "db_query_fingerprint", "http_route"),
    "stethoscope.db.slow_query.duration",
)
NAMED_QUERY_DURATION = _seconds(
    "stethoscope_db_named_query_duration_seconds",
    "Duration of database work that is timed by name with stethoscope.monitor_query().",
    ("name", "error_type"),
    "stethoscope.db.named_query.duration",
)

POOL_CONNECTIONS = Metric(
    "db_client_connection_count",
    Kind.GAUGE,
    "Connections of the pool by state (idle, used).",
    (*_POOL, "db_client_connection_state"),
    otel="db.client.connection.count",
)
POOL_MAX = Metric(
    "db_client_connection_max",
    Kind.GAUGE,
    "Connections that the pool may have at most, overflow included. None for a pool without a limit, 0 once it is gone.",
    _POOL,
    otel="db.client.connection.max",
)
POOL_SIZE = Metric(
    "stethoscope_db_pool_size",
    Kind.GAUGE,
    "Connections that the pool keeps open.",
    _POOL,
    otel="stethoscope.db.pool.size",
)
POOL_OVERFLOW = Metric(
    "stethoscope_db_pool_overflow",
    Kind.GAUGE,
    "Connections beyond the pool's size that are open now.",
    _POOL,
    otel="stethoscope.db.pool.overflow",
)
POOL_PENDING = Metric(
    "db_client_connection_pending_requests",
    Kind.GAUGE,
    "Threads and tasks that wait for a connection of the pool.",
    _POOL,
    otel="db.client.connection.pending_requests",
)
POOL_TIMEOUTS = Metric(
    "db_client_connection_timeouts",
    Kind.COUNTER,
    "Waits for a connection that ended without one because the pool's timeout was over.",
    _POOL,
    otel="db.client.connection.timeouts",
)
POOL_WAIT_TIME = _seconds(
    "db_client_connection_wait_time_seconds",
    "Time to get a connection from the pool, before it is pinged where pools do that.",
    _POOL,
    "db.client.connection.wait_time",
)
POOL_USE_TIME = _seconds(
    "db_client_connection_use_time_seconds",
    "Time from taking a connection from the pool to giving it back.",
    _POOL,
    "db.client.connection.use_time",
)
POOL_CREATE_TIME = _seconds(
    "db_client_connection_create_time_seconds",
    "Time to open a new connection to the database.",
    _POOL,
    "db.client.connection.create_time",
)
