"""The reference page of findings: kinds and cures from the package; what evidence means is said here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from stethoscope.diagnosis.words import cure, summary
from stethoscope.instruments.database.ahead import UNUSED_FROM
from stethoscope.instruments.database.database import FAR_FROM, HELD_FROM
from stethoscope.instruments.database.detection import N_PLUS_ONE_FROM, REPEATED_FROM
from stethoscope.instruments.database.plans import SCANNED_FROM
from stethoscope.instruments.runtime.blocked import BLOCKED_FROM, LONG, WITHIN
from stethoscope.instruments.runtime.stalls import STALL
from stethoscope.names.findings import Illness
from stethoscope.thresholds import Thresholds

_SLOW: Final = Thresholds().slow_query.warn or 0.0
_LAG: Final = Thresholds().event_loop_lag_p99.critical or 0.0
_LONG: Final = Thresholds().query_p95.warn or 0.0

Facts = Mapping[str, object]

KINDS: Final[Mapping[Illness, tuple[str, str, Facts]]] = {
    Illness.N_PLUS_ONE: (
        f"One query, {N_PLUS_ONE_FROM} times or more in a request, each time with other parameters and within 50 ms of the one before, at "
        "least half of them from one line. What is asked after a pause waits for news. Pages, lists of values and writes do not count.",
        "Order.items",
        {"queries": 30, "seconds": 0.041, "loader": "lazy", "many": True, "site": "orders.py:31 in orders"},
    ),
    Illness.UNUSED_EAGER_LOAD: (
        "A relationship was loaded ahead, the owners were looked at, and nothing of what came with them was: in "
        f"{UNUSED_FROM} requests or more that were watched, and in none otherwise. `occurrences` are watched requests, not all "
        "([why](../decisions/023-eager-loads-that-nobody-looks-at.md)).",
        "Order.items",
        {"requests": 3, "way": "selectin", "configured": False, "site": "orders.py:30 in orders"},
    ),
    Illness.FAR_OFFSET: (
        f"A query passes over {FAR_FROM:,} rows or more.",
        "5be7f2d06d3bdd4e",
        {"table": "orders", "offset": 20_000, "worst_seconds": 0.0123, "site": "orders.py:52 in page"},
    ),
    Illness.SEQUENTIAL_SCAN: (
        f"Only with `explain`: a table of {SCANNED_FROM:,} rows or more is read from end to end, to find at most a tenth of it. On "
        "PostgreSQL only where columns are compared, or searched by a pattern (LIKE): that needs an index of the `extension` pg_trgm.",
        "5be7f2d06d3bdd4e",
        {"table": "orders", "rows": 50_000, "statement": "CREATE INDEX ON orders (voucher)"},
    ),
    Illness.POOL_EXHAUSTED: (
        f"Waits for a connection ended without one, or one in twenty took more than {_LONG * 1000:g} ms (`thresholds`: `query_p95`), not "
        "counting those for which a connection was opened, nor the time of a ping (`pool_pre_ping`). `occurrences` are the waits in vain and the long ones.",
        "db:5432/shop",
        {"timeouts": 3, "wait_p95_seconds": 0.85, "size": 5, "most": 15},
    ),
    Illness.LEAKED_CONNECTION: (
        "A request was over, background tasks and all, and had a connection still; or the garbage collector found one. "
        "From the first one on, the line is known. A task of the request's that is not awaited (`asyncio.create_task`) and has a "
        "connection by then is found as well, though it may give it back in the end: nobody knows at that time.",
        "db:5432/shop",
        {"site": "orders.py:60 in basket"},
    ),
    Illness.STALE_CONNECTION: (
        "The first query over a connection from a pool without pre-ping found that it had died there.",
        "db:5432/shop",
        {"site": "orders.py:31 in orders"},
    ),
    Illness.BLOCKING_QUERY: (
        "A synchronous engine was used on a thread whose event loop was running.",
        "orders.py:31 in orders",
        {"times": 4, "seconds": 0.012, "site": "orders.py:31 in orders"},
    ),
    Illness.BLOCKED_LOOP: (
        f"A line kept the event loop's thread for {STALL * 1000:g} ms for sure (a length is known to within 60 ms), and for more than `warn` of "
        f"`event_loop_lag_p99` (`thresholds`): {BLOCKED_FROM} times within {WITHIN / 60:g} minutes in one worker, or once for {LONG:g} s. "
        f"`critical` are more than {_LAG * 1000:g} ms (`critical` of the same). `occurrences` are such times, of all workers in which they were "
        "enough; `worst_seconds` is the longest. Where the same line is a `blocking_query`, only that is reported, and "
        "`stethoscope_findings_total` counts both.",
        "carrier.py:12 in ask",
        {"worst_seconds": 0.41, "site": "carrier.py:12 in ask"},
    ),
    Illness.REPEATED_QUERY: (
        f"One query with the same parameters, {REPEATED_FROM} times or more in a request, one soon after the other and nothing written in between.",
        "5be7f2d06d3bdd4e",
        {"table": "customer", "identical": 3, "site": "orders.py:70 in name_of"},
    ),
    Illness.CONCURRENT_QUERY: (
        f"One query with the same parameters was under way for two requests at once, for more than {_SLOW * 100:g} ms (a tenth of "
        "`slow_query`).",
        "5be7f2d06d3bdd4e",
        {"table": "item", "worst_seconds": 0.31, "site": "orders.py:80 in turnover"},
    ),
    Illness.HELD_TRANSACTION: (
        f"A connection was taken for {HELD_FROM * 1000:g} ms or more in which the request asked nothing of any database: no query, no "
        "commit, no rollback; and its thread did not wait for a processor. Not judged is a connection on which more may be asked than is "
        "seen: one that a result is streamed from, one whose `driver_connection` was taken (for COPY, say), and one on which no query "
        "went by way of SQLAlchemy; nor the time after a SELECT with a synchronous driver of SQLite, Oracle or SQL Server, which fetches "
        "rows only when the app does. Work with a cursor of the driver's between two queries of SQLAlchemy's is taken for a pause.",
        "db:5432/shop",
        {"worst_seconds": 0.302, "site": "orders.py:90 in order"},
    ),
}
"""When it is found, and a subject and figures as they may be."""

EVIDENCE: Final[Mapping[str, str]] = {
    "site": "the line of your code",
    "text, table, fingerprint": "the statement without its literals, the table it is about, and the hash that identifies it",
    "request_id": "the request that was noted last",
    "queries, seconds, worst_seconds, times": "how many in the request, their total time, the longest, how often",
    "parameters, identical": "how many different ones, and how many queries had the same ones at most",
    "relationship, loader, many": "what the ORM loaded, why it did (`lazy`, `refresh`, `columns`), whether it is a collection",
    "way, configured, requests": "how it was loaded ahead, whether the relationship itself asks for that, in how many watched requests",
    "offset, rows, expected_rows, columns, statement, extension": "rows passed over; rows of the table, rows expected, columns filtered by, the index to make, and what of PostgreSQL's it needs",
    "timeouts, wait_p95_seconds, checkouts, size, most": "of a pool: waits in vain, length of the long ones of those that got a connection, number of these, its limits",
}

_HEAD: Final = """# Findings

<!-- Written by `python -m tests.docs.reference`. -->

What `stethoscope diagnose`, the live page and `/_stethoscope/api/diagnosis` can find: [how to look for it](../how-to/diagnosis.md).
A finding is `critical` if it takes more of a request than its budget (`thresholds`: `request_p95`, `warn`), if it is a hundred queries or more,
or if waits for a connection were in vain; all others are a `warning`. `occurrences` are requests, counted exactly over all workers unless it
says otherwise. Figures are those of the last occurrence that was noted, at most one a second.
"""


def findings_page() -> str:
    rows = (f"| `{'`, `'.join(keys.split(', '))}` | {meaning} |" for keys, meaning in EVIDENCE.items())
    evidence = ("## Evidence", "", "Seconds, rows and counts. A key that is missing is not known.", "")
    return "\n".join([_HEAD, *_kinds(), *evidence, "| keys | meaning |", "|---|---|", *rows, ""])


def _kinds() -> Iterator[str]:
    for kind in Illness:
        when, subject, facts = KINDS[kind]
        yield from (f"## `{kind}`", "", when, "")
        yield from (f"> {summary(kind, subject, facts)}", ">", f"> {cure(kind, subject, facts)}", "")
