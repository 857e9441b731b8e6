"""One database as an app uses it: what is recorded of each operation.

What comes here is all that `stethoscope.instruments.database.execution` does not do by itself: without a compiler every
query. So it looks for nothing that is not known by then, and at the stack only where something has
turned out to be of interest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from stethoscope import names
from stethoscope.current import CURRENT, Trace
from stethoscope.error_type import error_type
from stethoscope.instruments.database.call_site import call_site, call_site_near
from stethoscope.instruments.database.execution import Execute, Run, key_of, rows_of, watched
from stethoscope.instruments.database.outline import Outline
from stethoscope.instruments.database.query import Query, Statement, Statements
from stethoscope.instruments.database.work import Work, work_of
from stethoscope.names.findings import Illness, Severity

if TYPE_CHECKING:
    from stethoscope.instruments.database.instrument import Instrument

HELD_FROM: Final = 0.1
"""Seconds without a query, with a connection taken, from which on they are a sign."""
FAR_FROM: Final = 1_000
"""Rows that are passed over, from which on they are a sign."""
_SHARED_FROM: Final = 0.1
"""Part of what is slow for one query, from which on it is a sign when several ask the same at once."""

_MOST_ASKED: Final = 1_000
_MOST_QUESTIONS: Final = 16
_MOST_RUNS: Final = 1_024
_LOOKED_AT: Final = frozenset((1, 2, 4, 16, 64, 256))
"""Which runs of a statement in a request are looked at, beside those from `_MOST_RUNS` on: few, and yet enough to see where they come from."""
"""Of one statement that a request keeps before they are counted: a power of two."""

Explain = Callable[[Query, str, Any, str, str], None]
"""``explain(query, sql, parameters, route, site)``: has the plan looked at, at another time and place."""
LookAhead = Callable[["Instrument", Work, Query, Any], None]
"""``look_ahead(instrument, work, query, context)``: a query has run for the first time in a request."""
OnError = Callable[[BaseException, Any, Any], None]
"""Told of an error, the cursor and the context."""


class Database:
    """What an app knows as one database: an engine, with its own pool of connections.

    ``describe`` is asked what the library knows of the operation that runs, by its context; ``loop`` for the
    event loop that runs in this thread, None where operations do not block.
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
        self.looked_at_from = instrument.slow * _SHARED_FROM
        """Seconds that an operation takes, from which on it is looked at by itself."""
        self._describe = describe
        self._loop = loop
        self._statements = Statements(system, self._make_query)
        self.explain: Explain | None = None
        """Asks for the plan of a query, where that is switched on."""
        self.look_ahead: LookAhead | None = None
        """Looks whether a query loads something ahead, where the library can tell."""
        self._asked: dict[tuple[Query, int | None], tuple[float, int]] = {}
        """By query and parameters, when the latest one that took long had ended, and which work's it was.

        The work itself would be kept, with all that it knows of a request. Its ID can be another's later, but whoever has it then
        began after all of that had ended.
        """

    def _make_query(self, seen: Outline) -> Query:
        labels = (self.system, seen.operation, seen.collection)
        recorder = self.instrument.recorder
        return Query(
            seen,
            recorder.histogram(names.QUERY_DURATION, (*labels, "")),
            recorder.histogram(names.RETURNED_ROWS, labels),
        )

    def around(self, execute: Execute, on_error: OnError, *, many: bool = False) -> Execute:
        """``execute``, watched: it does, returns and raises the same. ``many`` says that it takes several sets of parameters.

        ``on_error`` is told of what it raises, and must raise nothing itself.
        """

        def answered(cursor: Any, sql: str, parameters: Any, context: Any, started: float, ended: float) -> None:
            try:
                statement = known.get(sql) or learn(sql)
                rows = rows_of(cursor) if statement.reads else -1
                request = CURRENT.get()
                work = None if request is None else work_of(request)
                if work is None:
                    statement.count(ended - started, rows)
                else:
                    writes = many or not statement.reads
                    work.writes += writes
                    key = None if writes else key_of(parameters)
                    self._put_down(work, statement, (key, started, ended, rows, work.writes), context)
                    if statement.offset is not None:
                        self._look_at_offset(work, statement, parameters, ended - started)
                if request is not None and request.trace is not None:
                    self._trace(request.trace, statement.query, ended - started, "", context)
                if ended - started > self.looked_at_from:
                    self._look_at_long(work, statement.query, sql, parameters, (started, ended, rows))
            except Exception as error:
                self.instrument.failed(error)

        def failed(cursor: Any, sql: str, context: Any, started: float, ended: float, error: BaseException) -> None:
            on_error(error, cursor, context)
            self._failed(sql, context, started, ended, error)

        known, learn = self._statements.known, self._statements.learn
        return watched(execute, answered, failed, known, self.looked_at_from, many)

    def _put_down(self, work: Work, statement: Statement, run: Run, context: object) -> None:
        """An operation of a request, to be counted with others."""
        if run[1] - work.quiet_since > HELD_FROM:
            self._look_at_gap(work, run[1])
        work.quiet_since = run[2]
        runs = work.runs.get(statement)
        if runs is None:
            runs = work.runs_of(statement)
        runs.append(run)
        count = len(runs)
        if count in _LOOKED_AT or count >= _MOST_RUNS:
            self._look_at(work, statement, count, context)

    def _look_at_long(
        self, work: Work | None, query: Query, sql: str, parameters: Any, run: tuple[float, float, int]
    ) -> None:
        """An operation that took long enough to matter when several requests ask the same, or to be called slow."""
        started, ended, rows = run
        if work is not None and query.reads:
            self._look_for_others(work, query, key_of(parameters), started, ended)
        if self.explain is not None:
            self._have_explained(self.explain, query, sql, parameters, work)
        if ended - started > self.instrument.slow:
            self.instrument.note_slow(self, query, ended - started, rows, work)

    def _failed(self, sql: str, context: object, started: float, ended: float, error: BaseException) -> None:
        """An operation has ended with an error, which is the app's to look at."""
        try:
            seconds = ended - started
            query = (self._statements.known.get(sql) or self._statements.learn(sql)).query
            labels = (self.system, query.operation, query.collection, error_type(error))
            self.instrument.recorder.histogram(names.QUERY_DURATION, labels).record(seconds)
            request = CURRENT.get()
            if request is not None and request.trace is not None:
                self._trace(request.trace, query, seconds, labels[3], context)
            work = None if request is None else work_of(request)
            if work is not None:
                work.add(seconds)
                work.quiet_since = ended
            if seconds > self.instrument.slow:
                self.instrument.note_slow(self, query, seconds, -1, work)
        except Exception as failure:
            self.instrument.failed(failure)

    def _trace(self, trace: Trace, query: Query, seconds: float, error: str, context: object) -> None:
        trace.add_query(self.system, query.operation, query.collection, query.text, seconds, error, context)

    def _work(self) -> Work | None:
        request = CURRENT.get()
        return None if request is None else work_of(request)

    def _look_at_gap(self, work: Work, until: float) -> None:
        """The request has asked for nothing in a while: no time to lose now."""
        if work.checkouts:
            for checkout in work.checkouts:
                checkout.pool.doubts = True
            if work.waited(work.checkouts, until) > HELD_FROM:
                work.note(Illness.HELD_TRANSACTION, self.pool, until - work.quiet_since)
        work.fold()

    def _look_at(self, work: Work, statement: Statement, count: int, context: object) -> None:
        """A statement for the first time in a request: in what thread. Later: from where, and why."""
        uses = work.uses_of(statement)
        if count == 1:
            if self.look_ahead is not None:
                self.look_ahead(self.instrument, work, statement.query, context)
            if self._loop is not None and self._loop() is not None:
                uses.block_at = uses.block_at or call_site()
        else:
            site = call_site_near(statement.depth)
            uses.sites[site] = uses.sites.get(site, 0) + 1
            loader = self._describe(context)
            uses.loaders[loader] = uses.loaders.get(loader, 0) + 1
        if count >= _MOST_RUNS:
            work.fold()

    def _look_at_offset(self, work: Work, statement: Statement, parameters: object, seconds: float) -> None:
        assert statement.offset is not None
        offset = statement.offset.value(parameters)
        if offset is not None and offset >= FAR_FROM:
            sign = work.note(Illness.FAR_OFFSET, statement.query, seconds)
            sign.evidence["offset"] = max(offset, sign.evidence.get("offset", 0))  # type: ignore[call-overload]  # numbers

    def _have_explained(self, explain: Explain, query: Query, sql: str, parameters: Any, work: Work | None) -> None:
        site = call_site()
        if work is None:
            explain(query, sql, parameters, "", site)
        elif len(work.questions) < _MOST_QUESTIONS:
            work.questions.append(lambda route: explain(query, sql, parameters, route, site))

    def _look_for_others(self, work: Work, query: Query, key: int | None, started: float, ended: float) -> None:
        """Whether another request has asked the same while this one did."""
        if key is None:
            return
        before = self._asked.get((query, key))
        if before is not None and before[0] > started and before[1] != id(work):
            work.note(Illness.CONCURRENT_QUERY, query, ended - started)
        if len(self._asked) >= _MOST_ASKED:
            self._asked.clear()
        self._asked[query, key] = (ended, id(work))

    def note_stale(self) -> None:
        """The connection of the operation that runs had died in the pool."""
        work = self._work()
        if work is not None:
            work.note(Illness.STALE_CONNECTION, self.pool, 0.0)
        else:
            self.instrument.found(Illness.STALE_CONNECTION, Severity.WARNING, "", self.pool, {"site": call_site()})
