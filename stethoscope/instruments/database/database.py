"""One database as an app uses it: what is recorded of each operation.

This runs around every query, so that it is the hottest code of the instrument: one function before the query,
one after it, nothing looked for that is not known by then. Measure before changing it:
``python -m benchmarks database``.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Final

from stethoscope import names
from stethoscope.current import CURRENT
from stethoscope.error_type import error_type
from stethoscope.instruments.database.call_site import call_site
from stethoscope.instruments.database.outline import MOST_CHARACTERS, Outline, parameters_key
from stethoscope.instruments.database.query import Query, Statement, Statements
from stethoscope.instruments.database.work import Uses, Work, work_of
from stethoscope.names.findings import Illness, Severity

if TYPE_CHECKING:
    from stethoscope.instruments.database.instrument import Instrument

clock = perf_counter
"""Seconds, monotonic. Replaced by tests."""

HELD_FROM: Final = 0.1
"""Seconds without a query, with a connection taken, from which on they are a sign."""
FAR_FROM: Final = 1_000
"""Rows that are passed over, from which on they are a sign."""
_SHARED_FROM: Final = 0.1
"""Part of what is slow for one query, from which on it is a sign when several ask the same at once."""
_FIRST_LOOKED_AT: Final = 5


class Run:
    """One operation, from its start to its end."""

    __slots__ = ("flight", "key", "shared", "started", "statement", "work")

    statement: Statement
    work: Work | None
    started: float
    key: int | None
    """Of its parameters, where it reads for a request."""
    flight: tuple[Query, int] | None
    shared: bool
    """Whether the same was asked already and not answered yet."""


class Database:
    """What an app knows as one database: an engine, with its own pool of connections.

    ``describe`` is asked what the library knows of the operation that runs, ``loop`` for the event loop that
    runs in this thread; None where operations do not block.
    """

    def __init__(
        self,
        instrument: Instrument,
        system: str,
        pool: str,
        describe: Callable[[object], object],
        loop: Callable[[], object] | None,
    ) -> None:
        self.system = system
        self.pool = pool
        self.instrument = instrument
        self._describe = describe
        self._loop = loop
        self._statements = Statements(system, self._make_query)
        self._known = self._statements.known
        self._flying: dict[tuple[Query, int], int] = {}
        self._slow = instrument.slow

    def _make_query(self, seen: Outline) -> Query:
        labels = (self.system, seen.operation, seen.collection)
        recorder = self.instrument.recorder
        return Query(
            seen,
            recorder.histogram(names.QUERY_DURATION, (*labels, "")),
            recorder.histogram(names.RETURNED_ROWS, labels),
        )

    def begin(self, sql: str, parameters: object) -> Run | None:
        """An operation starts; None when it can not be followed. ``parameters`` are None for many sets of them. Never raises."""
        try:
            try:
                statement = self._known[sql] if len(sql) <= MOST_CHARACTERS else self._statements.learn(sql)
            except KeyError:
                statement = self._statements.learn(sql)
            run = Run()
            run.statement = statement
            run.key = run.flight = None
            run.shared = False
            run.work = work = work_of(CURRENT.get())
            if work is not None:
                if work.checkouts and (gap := clock() - work.quiet_since) > HELD_FROM:
                    work.note(Illness.HELD_TRANSACTION, self.pool, gap)
                if statement.query.reads and parameters is not None:
                    run.key = key = parameters_key(parameters)
                    if key is not None:
                        run.flight = flight = (statement.query, key)
                        flying = self._flying
                        others = flying.get(flight, 0)
                        flying[flight] = others + 1
                        run.shared = others > 0
            run.started = clock()
            return run
        except Exception as error:
            self.instrument.failed(error)
            return None

    def succeeded(self, run: Run, rows: int, parameters: object, context: object) -> None:
        """It has ended. ``rows`` is their number, negative where it is not known. Never raises."""
        ended = clock()
        try:
            seconds = ended - run.started
            statement = run.statement
            query = statement.query
            query.duration.record(seconds)
            if rows >= 0 and query.reads:
                query.rows.record_repeating(rows)
            work = run.work
            if work is not None:
                work.seconds += seconds
                work.pieces += 1
                work.quiet_since = ended
                if run.key is not None:
                    self._count_read(work, run, run.key, seconds, context)
                elif not query.reads:
                    work.writes += 1
                if statement.offset is not None:
                    self._look_at_offset(work, statement, parameters, seconds)
                if self._loop is not None and self._loop() is not None:
                    work.note(Illness.BLOCKING_QUERY, None, seconds)
            if seconds > self._slow:
                self.instrument.note_slow(self, query, seconds, rows, work)
        except Exception as error:
            self.instrument.failed(error)

    def failed(self, run: Run, error: BaseException) -> None:
        """It has ended with an error, which is the app's to look at. Never raises."""
        ended = clock()
        try:
            seconds = ended - run.started
            query = run.statement.query
            labels = (self.system, query.operation, query.collection, error_type(error))
            self.instrument.recorder.histogram(names.QUERY_DURATION, labels).record(seconds)
            self._land(run)
            if run.work is not None:
                run.work.seconds += seconds
                run.work.pieces += 1
                run.work.quiet_since = ended
            if seconds > self._slow:
                self.instrument.note_slow(self, query, seconds, -1, run.work)
        except Exception as failure:
            self.instrument.failed(failure)

    def _count_read(self, work: Work, run: Run, key: int, seconds: float, context: object) -> None:
        self._land(run)
        query = run.statement.query
        uses = work.uses.get(query) or work.uses_of(query)
        if uses is None:
            return
        uses.count = count = uses.count + 1
        uses.seconds += seconds
        uses.add(key, run.started, work.writes)
        uses.ended = work.quiet_since
        if count > 1 and (count <= _FIRST_LOOKED_AT or not count & (count - 1)):
            self._look_at(uses, run.statement, context)
        if run.shared and seconds > self._slow * _SHARED_FROM:
            work.sign(Illness.CONCURRENT_QUERY, query).add(seconds)

    def _look_at(self, uses: Uses, statement: Statement, context: object) -> None:
        """Where it comes from and why: for the second to fifth time, and from then on for fewer and fewer."""
        site = call_site()
        uses.sites[site] = uses.sites.get(site, 0) + 1
        loader = self._describe(context)
        uses.loaders[loader] = uses.loaders.get(loader, 0) + 1
        uses.pages = statement.batched or statement.offset is not None

    def _look_at_offset(self, work: Work, statement: Statement, parameters: object, seconds: float) -> None:
        assert statement.offset is not None
        offset = statement.offset.value(parameters)
        if offset is not None and offset >= FAR_FROM:
            sign = work.sign(Illness.FAR_OFFSET, statement.query)
            sign.add(seconds)
            if offset > sign.evidence.get("offset", 0):  # type: ignore[operator]  # a number, always
                sign.evidence.update(offset=offset, site=call_site())

    def note_stale(self) -> None:
        """The connection of the operation that runs had died in the pool."""
        work = work_of(CURRENT.get())
        if work is not None:
            work.note(Illness.STALE_CONNECTION, self.pool, 0.0)
        else:
            self.instrument.found(Illness.STALE_CONNECTION, Severity.WARNING, "", self.pool, {"site": call_site()})

    def _land(self, run: Run) -> None:
        flight = run.flight
        if flight is not None:
            others = self._flying.pop(flight, 1) - 1
            if others > 0:
                self._flying[flight] = others
