"""Database work: operations, pools, and statements that took long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, TypedDict

from stethoscope import names
from stethoscope.dashboards.documents.notes import text
from stethoscope.dashboards.documents.performance import Latency, latency
from stethoscope.dashboards.documents.reading import first, label_values, total, with_labels
from stethoscope.dashboards.documents.window import Window, WindowName, described
from stethoscope.names import Metric
from stethoscope.store.distribution import Distribution
from stethoscope.store.notes import Note
from stethoscope.store.snapshot import Series, Snapshot
from stethoscope.store.timeline import summed


class Pool(TypedDict):
    """A connection pool, all workers together."""

    name: Annotated[str, "The pool's name."]
    used: Annotated[float, "Connections that are taken out now."]
    idle: Annotated[float, "Connections that are open and wait in the pool."]
    limit: Annotated[float | None, "Connections that there may be at most, overflow included; none without a limit."]
    size: Annotated[float | None, "Connections that the pool keeps open."]
    overflow: Annotated[float | None, "Connections beyond the pool's size that are open now."]
    use_ratio: Annotated[float | None, "Share of the limit that is in use (0 to 1)."]
    pending: Annotated[float, "Threads and tasks that wait for a connection now."]
    timeout_count: Annotated[float, "Waits in the window that ended without a connection."]
    wait: Annotated[Latency, "Time to get a connection."]
    use: Annotated[Latency, "Time from taking a connection to giving it back."]
    create: Annotated[Latency, "Time to open a new connection."]


class Pools(TypedDict):
    """All connection pools."""

    window: Window
    items: Annotated[list[Pool], "The pools, by name."]


class SlowQuery(Latency):
    """A statement that took longer than the threshold for slow ones, at least once in the window."""

    fingerprint: Annotated[str, "What stands for the statement without its literals."]
    statement: Annotated[str | None, "The statement without its literals; none when it is not kept any more."]
    system: Annotated[str, "The database system."]
    routes: Annotated[list[str], "Routes whose requests ran it."]
    call_site: Annotated[str | None, "Where in the app it was run, the last time."]
    last_request_id: Annotated[str | None, "Correlation ID of the request that ran it the last time."]
    last_at_unix_seconds: Annotated[float | None, "When it was slow the last time, as Unix time."]


class SlowQueries(TypedDict):
    """Statements that took long."""

    window: Window
    total: Annotated[int, "Statements that there are, on all pages."]
    offset: Annotated[int, "Statements before the first of this page."]
    items: Annotated[list[SlowQuery], "Those that took most time together first."]


class Operation(Latency):
    """One kind of operation on one table."""

    system: Annotated[str, "The database system."]
    operation: Annotated[str, "What was done, such as SELECT."]
    collection: Annotated[str, "On which table; empty where that is not known."]
    error_count: Annotated[int, "Operations that raised an error."]


class Database(TypedDict):
    """All database work."""

    window: Window
    total: Annotated[Latency, "All operations."]
    operations: Annotated[list[Operation], "Those that took most time together first."]
    pools: Annotated[list[Pool], "The connection pools, by name."]
    slow_queries: Annotated[list[SlowQuery], "Statements that took long, at most 20."]


_MOST_OPERATIONS = 50
_MOST_SLOW = 20


def database(name: WindowName, window: Snapshot, notes: Iterable[Note]) -> Database:
    return Database(
        window=described(name, window),
        total=all_operations(window),
        operations=_operations(window)[:_MOST_OPERATIONS],
        pools=pools(window),
        slow_queries=slow_queries(window, notes)[:_MOST_SLOW],
    )


def all_operations(window: Snapshot) -> Latency:
    return _latency(window, names.QUERY_DURATION, window.family(names.QUERY_DURATION).series)


def pools(window: Snapshot) -> list[Pool]:
    label = names.POOL_CONNECTIONS.labels[0]
    return [_pool(window, name) for name in label_values(window, names.POOL_CONNECTIONS, label)]


def _pool(window: Snapshot, name: str) -> Pool:
    label, state = names.POOL_CONNECTIONS.labels
    of_pool = {label: name}
    used, idle = (total(window, names.POOL_CONNECTIONS, **of_pool, **{state: value}) for value in ("used", "idle"))
    limit = first(window, names.POOL_MAX, **of_pool) or None  # zero: of pools that are gone
    wait, use, create = (
        _latency(window, metric, with_labels(window, metric, **of_pool))
        for metric in (names.POOL_WAIT_TIME, names.POOL_USE_TIME, names.POOL_CREATE_TIME)
    )
    return Pool(
        name=name,
        used=used,
        idle=idle,
        limit=limit,
        size=first(window, names.POOL_SIZE, **of_pool),
        overflow=first(window, names.POOL_OVERFLOW, **of_pool),
        use_ratio=used / limit if limit else None,
        pending=total(window, names.POOL_PENDING, **of_pool),
        timeout_count=total(window, names.POOL_TIMEOUTS, **of_pool),
        wait=wait,
        use=use,
        create=create,
    )


def slow_queries(window: Snapshot, notes: Iterable[Note]) -> list[SlowQuery]:
    """Statements by fingerprint; ``notes`` have their texts."""
    latest: dict[str, Note] = {}
    for note in notes:  # the newest first
        latest.setdefault(text(note.content, "fingerprint"), note)
    by_statement: defaultdict[tuple[str, str], list[Series]] = defaultdict(list)
    for series in window.family(names.SLOW_QUERY_DURATION).series:
        by_statement[series.labels[0], series.labels[1]].append(series)
    found = [
        (_spent(series), _slow_query(window, system, fingerprint, series, latest.get(fingerprint)))
        for (system, fingerprint), series in by_statement.items()
    ]
    return [one for spent, one in sorted(found, key=lambda pair: (-pair[0], pair[1]["fingerprint"])) if one["count"]]


def _slow_query(window: Snapshot, system: str, fingerprint: str, series: list[Series], note: Note | None) -> SlowQuery:
    content = note.content if note else {}
    return SlowQuery(
        **_latency(window, names.SLOW_QUERY_DURATION, series),
        fingerprint=fingerprint,
        statement=text(content, "text") or None,
        system=system,
        routes=sorted({one.labels[2] for one in series if _count(one) and one.labels[2]}),
        call_site=text(content, "site") or None,
        last_request_id=text(content, "request_id") or None,
        last_at_unix_seconds=note.written_at if note else None,
    )


def _operations(window: Snapshot) -> list[Operation]:
    by_kind: defaultdict[tuple[str, ...], list[Series]] = defaultdict(list)
    for series in window.family(names.QUERY_DURATION).series:
        by_kind[series.labels[:3]].append(series)
    found = [
        (
            _spent(series),
            Operation(
                **_latency(window, names.QUERY_DURATION, series),
                system=kind[0],
                operation=kind[1],
                collection=kind[2],
                error_count=sum(_count(one) for one in series if one.labels[3]),
            ),
        )
        for kind, series in by_kind.items()
    ]
    return [one for _, one in sorted(found, key=lambda pair: -pair[0]) if one["count"]]


def _latency(window: Snapshot, metric: Metric, series: Iterable[Series]) -> Latency:
    return latency(summed(metric, series), window.seconds or 1.0)


def _spent(series: Iterable[Series]) -> float:
    return sum(one.value.sum for one in series if isinstance(one.value, Distribution))


def _count(series: Series) -> int:
    return series.value.count if isinstance(series.value, Distribution) else 0
