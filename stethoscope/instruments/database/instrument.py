"""The instrument: one for each recorder, and what all its databases have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from stethoscope import names
from stethoscope.current import CURRENT
from stethoscope.instruments.database.ahead import Chances
from stethoscope.instruments.database.call_site import call_site
from stethoscope.instruments.database.detection import detect
from stethoscope.instruments.database.pool import Numbers, PoolWatch
from stethoscope.instruments.database.query import Query
from stethoscope.instruments.database.work import CARRIED, Work
from stethoscope.names.findings import Illness, Severity
from stethoscope.settings import Settings
from stethoscope.store.recorder import Recorder

if TYPE_CHECKING:
    from stethoscope.current import Current
    from stethoscope.instruments.database.database import Database

SAMPLED_EVERY: Final = 2.0
"""Seconds between two looks at the pools."""
_NOTED_EVERY: Final = 1.0
"""Seconds between two notes of one key."""
_MOST_NOTED: Final = 2_000
_MOST_TEXT: Final = 2_400
_MOST_SLOW: Final = 1_000
_MOST_ROUTES: Final = 2_000
_WHERE: Final = "database"

Record = Callable[[float], None]


class Named(NamedTuple):
    """What stands for a query that only has a name."""

    fingerprint: str
    text: str


class SlowQuery(NamedTuple):
    system: str
    pool: str
    query: Query | Named
    seconds: float
    rows: int | None
    site: str
    request_id: str | None


class Instrument:
    """Told of all that is done in databases, records it and finds what is wrong. Safe in any thread, and across forks."""

    def __init__(self, recorder: Recorder, settings: Settings) -> None:
        self.recorder = recorder
        self.thresholds = settings.thresholds
        self.chosen = frozenset(settings.instruments)
        self.slow = _or_never(settings.thresholds.slow_query.warn)
        self.chances = Chances()
        self._pools: dict[str, PoolWatch] = {}
        self._records: dict[str, tuple[Record, Record]] = {}
        """By route, where a request's queries and their time are recorded."""
        self._noted: dict[str, float] = {}

    def failed(self, error: BaseException) -> None:
        self.recorder.failed(_WHERE, error)

    # Pools

    def pool(self, name: str, read: Callable[[object], Numbers]) -> PoolWatch:
        watch = self._pools.get(name)
        if watch is None:
            if not self._pools:
                self.recorder.every(SAMPLED_EVERY, "connection pools", self.sample_pools)
            watch = self._pools.setdefault(name, PoolWatch(self, name, read))
        return watch

    def sample_pools(self) -> None:
        """Read all pools now."""
        for watch in list(self._pools.values()):
            watch.sample()

    # Slow queries

    def note_slow(self, database: Database, query: Query, seconds: float, rows: int, work: Work | None) -> None:
        """The operation that has just ended was slow. Its caller is still on the stack.

        A request's are recorded with the request, when its route is known.
        """
        current = CURRENT.get()
        slow = SlowQuery(
            database.system,
            database.pool,
            query,
            seconds,
            rows if rows >= 0 else None,
            call_site(),
            None if current is None else current.request_id,
        )
        if work is None:
            self._record_slow(slow, "")
        elif len(work.slow) < _MOST_SLOW:
            work.slow.append(slow)

    def note_slow_block(self, name: str, seconds: float, current: Current | None) -> None:
        """Work that the app has named has ended: a slow query of this name, if it was one."""
        if seconds > self.slow:
            request_id = None if current is None else current.request_id
            route = "" if current is None else current.route_by_now()
            self._record_slow(SlowQuery("", "", Named(name, name), seconds, None, call_site(), request_id), route)

    def _record_slow(self, slow: SlowQuery, route: str) -> None:
        query = slow.query
        self.recorder.histogram(names.SLOW_QUERY_DURATION, (slow.system, query.fingerprint, route)).record(slow.seconds)
        key = f"{query.fingerprint} {route}"
        if self._may_note(key):
            content = {
                "fingerprint": query.fingerprint,
                "system": slow.system,
                "pool": slow.pool,
                "text": fitting(query.text),
                "route": route,
                "site": slow.site,
                "seconds": round(slow.seconds, 6),
                "rows": slow.rows,
                "request_id": slow.request_id,
            }
            self.recorder.note(names.QUERIES, key, content)

    def _record_slow_of(self, work: Work, route: str) -> None:
        slow, work.slow = work.slow, []
        for one in slow:
            self._record_slow(one, route)
        questions, work.questions = work.questions, []
        for ask in questions:
            ask(route)

    def _may_note(self, key: str) -> bool:
        """Whether a note of this key is due: a storm of slow queries must not become a storm of writes."""
        now = monotonic()
        if now - self._noted.get(key, -_NOTED_EVERY) < _NOTED_EVERY:
            return False
        if len(self._noted) >= _MOST_NOTED:
            self._noted.clear()
        self._noted[key] = now
        return True

    # Findings

    def found(
        self, illness: Illness, severity: Severity, route: str, subject: str, evidence: Mapping[str, object]
    ) -> None:
        """Something is wrong: one more occurrence, and what shows it."""
        self.recorder.counter(names.FINDINGS, (illness, severity, route, subject)).add(1.0)
        key = f"{illness} {route} {subject}"
        if self._may_note(key):
            content = {"kind": illness, "severity": severity, "route": route, "subject": subject, "evidence": evidence}
            self.recorder.note(names.FINDINGS_FOUND, key, content)

    # Requests, as an observer of the middleware is told of them

    ended_carrying = left_carrying = CARRIED

    def started(self, exchange: Current) -> None:
        """Nothing: what a request does not use costs it nothing."""

    def ended(self, exchange: Current, status: int, seconds: float, exception: BaseException | None) -> None:
        work = _work(exchange)
        if work is not None:
            route = exchange.route or ""
            total, queries = work.so_far()
            record_queries, record_time = self._records.get(route) or self._records_of(route)
            record_queries(queries)
            record_time(total)
            if work.slow or work.questions:
                self._record_slow_of(work, route)

    def _records_of(self, route: str) -> tuple[Record, Record]:
        if len(self._records) >= _MOST_ROUTES:
            self._records.clear()
        queries = self.recorder.histogram(names.REQUEST_QUERIES, (route,))
        time = self.recorder.histogram(names.REQUEST_QUERY_TIME, (route,))
        self._records[route] = queries.record_repeating, time.record
        return self._records[route]

    def left(self, exchange: Current) -> None:
        work = _work(exchange)
        if work is not None:
            work.fold()
            if work.looks is not None:
                work.looks.end()
        if work is not None and exchange.counted:
            if work.slow or work.questions:  # since then
                self._record_slow_of(work, exchange.route or "")
            for checkout in work.checkouts:
                checkout.leak()
            detect(self, exchange.route or "", work, exchange.request_id)


def _work(exchange: Current) -> Work | None:
    return None if exchange.carried is None else exchange.carried.get(CARRIED)  # type: ignore[return-value]


def _or_never(seconds: float | None) -> float:
    return float("inf") if seconds is None else seconds


def fitting(text: str) -> str:
    """As much of a text as a note has room for, where some characters take six bytes."""
    while len(json.dumps(text)) > _MOST_TEXT:
        text = text[: len(text) // 2]
    return text


def instrument_of(recorder: Recorder, settings: Settings) -> Instrument:
    """The recorder's instrument, made with these settings if need be."""
    return recorder.companion(Instrument, lambda: Instrument(recorder, settings))
