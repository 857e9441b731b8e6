"""Plans of queries that took long: asked for by a thread of our own, on a connection of our own, once for each query.

Only SELECT is explained, and EXPLAIN does not run it. Parameters are kept in memory until then, a few at a time,
and are stored nowhere.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from stethoscope.error_type import error_type
from stethoscope.instruments.database.plans import Scan, postgresql_scans, sqlite_scans, tables_of
from stethoscope.instruments.sqlalchemy.own import OwnConnections
from stethoscope.names.findings import Illness, Severity

if TYPE_CHECKING:
    from stethoscope.instruments.database.instrument import Instrument
    from stethoscope.instruments.database.query import Query

_AGAIN_AFTER: Final = 3600.0
"""Seconds until a query is explained again."""
_IDLE: Final = 60.0
"""Seconds without a question, after which the thread ends."""
_MOST_WAITING: Final = 16
_MOST_KNOWN: Final = 2_000
_MOST_CHARACTERS: Final = 16_384
"""Of a statement, and of a parameter: plans repeat both."""

_ROWS: Final = """
SELECT nspname, relname, reltuples FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE relname = ANY(:names)"""


class _Question(NamedTuple):
    query: Query
    sql: str
    parameters: Any
    route: str
    site: str


class Explainer:
    """Of one database. Any thread may ask; the thread that answers is started by a question, where there is none."""

    def __init__(self, instrument: Instrument, engine: sa.Engine) -> None:
        self._instrument = instrument
        self._own = OwnConnections(engine)
        self._system = engine.dialect.name
        self._asked: dict[str, float] = {}
        self._start_over()

    def _start_over(self) -> None:
        """The state of a process that has asked nothing: the lock of a queue that was forked may be held by nobody who is left."""
        self._process = os.getpid()
        self._questions: queue.Queue[_Question] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()
        """Held to ask, or to end the thread: so that no question is left with nobody to answer it."""

    def ask(self, query: Query, sql: str, parameters: Any, route: str, site: str) -> None:
        """Have a query explained, unless it was lately. Never waits: what finds no room is asked another time."""
        now = monotonic()
        if not query.reads or now < self._asked.get(query.fingerprint, now) or _is_long(sql, parameters):
            return
        if self._process != os.getpid():
            self._start_over()
        with self._turn:
            try:
                self._questions.put_nowait(_Question(query, sql, parameters, route, site))
            except queue.Full:
                return
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._answer, name="stethoscope explain", daemon=True)
                self._thread.start()
        if len(self._asked) >= _MOST_KNOWN:
            self._asked.clear()
        self._asked[query.fingerprint] = now + _AGAIN_AFTER

    def _next(self) -> _Question | None:
        """None when nothing was asked in a while: engines come and go, and their threads with them."""
        try:
            return self._questions.get(timeout=_IDLE)
        except queue.Empty:
            with self._turn:
                if self._questions.empty():
                    self._thread = None
                    return None
            return self._questions.get()

    def _answer(self) -> None:
        while question := self._next():
            try:
                self._explain(question)
            except Exception as error:
                # What a database says may repeat a value.
                self._instrument.recorder.failed("explain", RuntimeError(f"EXPLAIN has raised {error_type(error)}"))
            finally:
                self._questions.task_done()

    def wait(self) -> None:
        """Until all that was asked is answered."""
        self._questions.join()

    def _explain(self, question: _Question) -> None:
        if self._own.over:
            return
        for scan in self._own.visit(lambda connection: list(self._scans(connection, question))):
            evidence = {
                "table": f"{scan.schema}.{scan.table}" if scan.schema else scan.table,
                "rows": scan.rows,
                "expected_rows": scan.found,
                "columns": ", ".join(scan.columns),
                "statement": self._index(scan),
                **({"extension": "pg_trgm"} if scan.patterns else {}),
                "text": question.query.text[:600],
                "site": question.site,
            }
            self._instrument.found(
                Illness.SEQUENTIAL_SCAN, Severity.WARNING, question.route, question.query.fingerprint, evidence
            )

    def _index(self, scan: Scan) -> str:
        quote = self._own.quote
        statement = scan.index_statement(quote)
        if self._system == "sqlite":  # which makes up no names
            name = quote("_".join((scan.table, *scan.columns)))
            return statement.replace("CREATE INDEX", f"CREATE INDEX {name}", 1)
        return statement

    def _scans(self, connection: sa.Connection, question: _Question) -> Iterator[Scan]:
        if self._system == "postgresql":
            answer: Any = _driver(
                connection, f"EXPLAIN (VERBOSE, FORMAT JSON) {question.sql}", question.parameters
            ).scalar()
            plan = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
            names = sorted(set(tables_of(plan)))
            rows = connection.execute(sa.text(_ROWS), {"names": names})
            yield from postgresql_scans(plan, {(row[0], row[1]): row[2] for row in rows})
        elif self._system == "sqlite":
            lines = [row[-1] for row in _driver(connection, f"EXPLAIN QUERY PLAN {question.sql}", question.parameters)]
            scanned = [line.split()[1 + line.startswith("SCAN TABLE")] for line in lines if line.startswith("SCAN ")]
            known = set(sa.inspect(connection).get_table_names())
            quote = connection.dialect.identifier_preparer.quote_identifier
            counts = {
                name: connection.exec_driver_sql(f"SELECT max(rowid) FROM {quote(name)}").scalar() or 0
                for name in scanned
                if name in known
            }
            yield from sqlite_scans(lines, question.query.text, counts)


def _is_long(sql: str, parameters: Any) -> bool:
    values = parameters.values() if isinstance(parameters, Mapping) else parameters or ()
    return any(len(one) > _MOST_CHARACTERS for one in (sql, *values) if isinstance(one, (str, bytes, bytearray)))


def _driver(connection: sa.Connection, sql: str, parameters: Any) -> sa.CursorResult[Any]:
    return connection.exec_driver_sql(sql, parameters or None)
