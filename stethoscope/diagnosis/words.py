"""What is said of each illness: what is wrong, in figures, and what to change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from textwrap import shorten
from typing import Final

from stethoscope.names.findings import Illness

Facts = Mapping[str, object]


def summary(kind: Illness, subject: str, facts: Facts) -> str:
    """One sentence without a full stop."""
    return _SUMMARIES[kind](subject, facts)


def cure(kind: Illness, subject: str, facts: Facts) -> str:
    """What to change, as a sentence or two."""
    return _CURES[kind](subject, facts)


def _figure(facts: Facts, key: str, default: str = "several") -> str:
    value = facts.get(key)
    if isinstance(value, float):
        return _digits(value)
    return default if value in (None, "") else f"{value:,}" if isinstance(value, int) else str(value)


def _counted(facts: Facts, key: str, one: str, several: str) -> str:
    return f"{_figure(facts, key)} {one if facts.get(key) == 1 else several}"


def _time(facts: Facts, key: str) -> str:
    value = facts.get(key)
    if not isinstance(value, int | float):
        return "an unknown time"
    return f"{_digits(value)} s" if value >= 0.9995 else f"{_digits(value * 1000)} ms"


def _digits(value: float) -> str:
    """Three, but all of a whole part."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def _what(subject: str, facts: Facts) -> str:
    """A statement by its table, else by how it begins, else by its fingerprint."""
    if table := facts.get("table"):
        return f"the query of {table}"
    return f"“{shorten(text, 60, placeholder='…')}”" if (text := str(facts.get("text") or "")) else f"query {subject}"


def _where(facts: Facts) -> str:
    """Put behind a sentence."""
    return f" It is at {facts['site']}." if facts.get("site") else ""


def _n_plus_one(subject: str, facts: Facts) -> str:
    name = {
        "lazy": f"{subject} was loaded for each object on its own",
        "refresh": f"each {subject} was loaded again, because it had expired",
        "columns": f"{subject} was loaded later, for each object on its own",
    }.get(str(facts.get("loader")), f"{_what(subject, facts)} was sent once for each of many")
    return f"{name}: {_figure(facts, 'queries')} queries in {facts.get('within', 'one request')}, {_time(facts, 'seconds')}"


def _cure_n_plus_one(subject: str, facts: Facts) -> str:
    way = facts.get("loader")
    if way == "lazy":
        option = "selectinload" if facts.get("many") else "joinedload"
        asked = f" Each was asked for at {facts['site']}." if facts.get("site") else ""
        return f"Load it with its owners: add .options({option}({subject})) to the query that loads them.{asked}"
    if way == "refresh":
        return (
            "Do not let them expire: commit after the last use, or make the session with expire_on_commit=False; "
            f"or load them again in one query.{_where(facts)}"
        )
    if way == "columns":
        return f"Load the column with the rest: add .options(undefer({subject})) to the query.{_where(facts)}"
    return (
        f"Ask for all of them at once: one query with WHERE … IN (…), or a join, in place of the loop.{_where(facts)}"
    )


def _unused_eager_load(subject: str, facts: Facts) -> str:
    among = f" in any of {_figure(facts, 'requests')} requests that were watched" if facts.get("requests") else ""
    return f"{subject} was loaded ahead and never looked at{among}"


def _cure_unused_eager_load(subject: str, facts: Facts) -> str:
    way = facts.get("way")
    if facts.get("configured"):
        return (
            f"Leave it out of this query: .options(lazyload({subject})); "
            f'or take lazy="{way}" from the relationship.{_where(facts)}'
        )
    option = {"selectin": "selectinload", "joined": "joinedload", "subquery": "subqueryload"}.get(str(way))
    if option is None:
        return f"Leave the eager load of {subject} out of this query.{_where(facts)}"
    return f"Take .options({option}({subject})) out of the query.{_where(facts)}"


def _cure_sequential_scan(subject: str, facts: Facts) -> str:
    before = f", after CREATE EXTENSION IF NOT EXISTS {facts['extension']}" if facts.get("extension") else ""
    return f"{facts.get('statement') or 'Make an index on the columns that the query filters by'}{before}."


def _pool_exhausted(subject: str, facts: Facts) -> str:
    waits = "1 wait" if facts.get("timeouts") == 1 else f"{_figure(facts, 'timeouts', 'no')} waits"
    long = f", one in twenty took above {_time(facts, 'wait_p95_seconds')}" if "wait_p95_seconds" in facts else ""
    return f"connections of {subject} ran out: {waits} ended without one{long}"


_SUMMARIES: Final[Mapping[Illness, Callable[[str, Facts], str]]] = {
    Illness.N_PLUS_ONE: _n_plus_one,
    Illness.UNUSED_EAGER_LOAD: _unused_eager_load,
    Illness.FAR_OFFSET: lambda subject, facts: (
        f"{_what(subject, facts)} passed over {_figure(facts, 'offset')} rows to fetch one page, {_time(facts, 'worst_seconds')}"
    ),
    Illness.SEQUENTIAL_SCAN: lambda subject, facts: (
        f"{_what(subject, facts)} read {_figure(facts, 'rows', 'all')} rows of {_figure(facts, 'table', 'a table')} from end to end"
    ),
    Illness.POOL_EXHAUSTED: _pool_exhausted,
    Illness.LEAKED_CONNECTION: lambda subject, facts: (
        f"a connection of {subject} was not given back when its request was over"
    ),
    Illness.STALE_CONNECTION: lambda subject, facts: (
        f"a query failed because its connection had died in the pool of {subject}"
    ),
    Illness.BLOCKING_QUERY: lambda subject, facts: (
        f"{_counted(facts, 'times', 'synchronous query', 'synchronous queries')} on the event loop's thread, {_time(facts, 'seconds')} "
        "in which no other request got on"
    ),
    Illness.BLOCKED_LOOP: lambda subject, facts: (
        f"{subject} blocked the event loop, for {_time(facts, 'worst_seconds')} or more at the longest, in which no other request got on"
    ),
    Illness.REPEATED_QUERY: lambda subject, facts: (
        f"{_what(subject, facts)} was sent {_figure(facts, 'identical')} times with the same parameters in one request"
    ),
    Illness.CONCURRENT_QUERY: lambda subject, facts: (
        f"{_what(subject, facts)} was sent while the very same was under way already, {_time(facts, 'worst_seconds')}"
    ),
    Illness.HELD_TRANSACTION: lambda subject, facts: (
        f"a connection of {subject} was held for {_time(facts, 'worst_seconds')} in which nothing was asked of it"
    ),
}

_CURES: Final[Mapping[Illness, Callable[[str, Facts], str]]] = {
    Illness.N_PLUS_ONE: _cure_n_plus_one,
    Illness.UNUSED_EAGER_LOAD: _cure_unused_eager_load,
    Illness.FAR_OFFSET: lambda subject, facts: (
        f"Page by key instead of OFFSET: WHERE (key) > (last key of the page before) ORDER BY key LIMIT n, as sqlakeyset does.{_where(facts)}"
    ),
    Illness.SEQUENTIAL_SCAN: _cure_sequential_scan,
    Illness.POOL_EXHAUSTED: lambda subject, facts: (
        f"Raise pool_size or max_overflow (now {_figure(facts, 'size', '?')}, at most {_figure(facts, 'most', 'unlimited')}) if the "
        "database has room for it, and keep connections for a shorter time."
    ),
    Illness.LEAKED_CONNECTION: lambda subject, facts: (
        "Take connections and sessions in a with block, so that each way out gives them back; a task that does so and goes on "
        f"when its request is over leaks nothing, it only keeps one for longer than the request.{_where(facts)}"
    ),
    Illness.STALE_CONNECTION: lambda subject, facts: (
        "Make the engine with pool_pre_ping=True, or pool_recycle below the time after which the server or a proxy "
        "closes idle connections."
    ),
    Illness.BLOCKING_QUERY: lambda subject, facts: (
        f"Use an async engine (create_async_engine), or let the endpoint be a plain def, which runs in a thread.{_where(facts)}"
    ),
    Illness.BLOCKED_LOOP: lambda subject, facts: (
        "Await an async equivalent, or move it off the loop: await asyncio.to_thread(…), or a plain def endpoint, which "
        f"runs in a thread; what computes for long in Python belongs in another process.{_where(facts)}"
    ),
    Illness.REPEATED_QUERY: lambda subject, facts: f"Ask once and keep the answer for the request.{_where(facts)}",
    Illness.CONCURRENT_QUERY: lambda subject, facts: (
        f"Let those who ask at the same time share one answer: coalesce them, or cache it for a moment.{_where(facts)}"
    ),
    Illness.HELD_TRANSACTION: lambda subject, facts: (
        f"Give the connection back first: do calls to others before the first query or after the commit.{_where(facts)}"
    ),
}
