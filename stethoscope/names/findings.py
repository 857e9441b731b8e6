"""Kinds of findings: what diagnosis can find wrong."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """How much it hurts, the worst first."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Illness(StrEnum):
    """What can be wrong. The values are the label ``kind`` of `FINDINGS`."""

    N_PLUS_ONE = "n_plus_one"
    """The same query again and again in one request, each time with other parameters."""
    UNUSED_EAGER_LOAD = "unused_eager_load"
    """A relationship was loaded ahead and nobody looked at it."""
    FAR_OFFSET = "far_offset"
    """A page was fetched by having the database walk over all that is before it."""
    SEQUENTIAL_SCAN = "sequential_scan"
    """A table was read from end to end to find little of it."""
    POOL_EXHAUSTED = "pool_exhausted"
    """Requests waited for a connection, or went without."""
    LEAKED_CONNECTION = "leaked_connection"
    """A request was over and had not given its connection back."""
    STALE_CONNECTION = "stale_connection"
    """A connection of the pool was dead, and the query that found out failed."""
    BLOCKING_QUERY = "blocking_query"
    """A synchronous query on the event loop's thread, in which everything waits."""
    BLOCKED_LOOP = "blocked_loop"
    """A line that keeps the event loop's thread for long, again and again, with something other than such a query."""
    REPEATED_QUERY = "repeated_query"
    """The same query with the same parameters several times in one request."""
    CONCURRENT_QUERY = "concurrent_query"
    """The same query with the same parameters in several requests at once."""
    HELD_TRANSACTION = "held_transaction"
    """A transaction was open, and its connection taken, while the request did something else."""
