"""What databases say about themselves: asked by one process of the service, on a connection of our own.

What may not be read is left out, and said once, with the statement that grants it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

import sqlalchemy as sa

from stethoscope import names
from stethoscope.instruments.sqlalchemy.own import OwnConnections
from stethoscope.names import Metric

if TYPE_CHECKING:
    from stethoscope.instruments.database.instrument import Instrument

ASKED_EVERY: Final = 30.0
"""Seconds."""
DUTY: Final = "database-vitals"
_SYNCHRONOUS: Final = ("off", "normal", "full", "extra")
_MOST_TEXT: Final = 300

_DATABASE: Final = "SELECT * FROM pg_stat_database WHERE datname = current_database()"
_STATES: Final = """
SELECT coalesce(state, 'unknown') AS state, count(*) AS connections,
       extract(epoch FROM max(now() - xact_start)) AS longest, bool_or(query = '<insufficient privilege>') AS hidden
FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() GROUP BY 1"""
_LOCKS: Final = "SELECT count(*) FROM pg_locks WHERE NOT granted"
_TABLES: Final = """
SELECT schemaname || '.' || relname AS name, n_dead_tup AS dead, n_live_tup AS live, seq_scan, coalesce(idx_scan, 0) AS idx_scan,
       pg_total_relation_size(relid) AS size, last_autovacuum::text AS vacuumed
FROM pg_stat_user_tables ORDER BY size DESC LIMIT 20"""
_UNUSED: Final = """
SELECT schemaname || '.' || indexrelname AS name, relname AS table, pg_relation_size(indexrelid) AS size
FROM pg_stat_user_indexes JOIN pg_index USING (indexrelid)
WHERE idx_scan = 0 AND NOT indisunique ORDER BY size DESC LIMIT 20"""
_STATEMENTS: Final = """
SELECT query, calls, total_exec_time / 1000 AS seconds, rows FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 3 DESC LIMIT 20"""
_TUPLES: Final = ("returned", "fetched", "inserted", "updated", "deleted")


def vitals_of(instrument: Instrument, engine: sa.Engine, pool: str) -> Vitals:
    """Of the database that this engine shares with all others whose pools have the name; to be kept as long as the engine."""
    known: WeakValueDictionary[str, Vitals] = instrument.recorder.companion(Vitals, WeakValueDictionary)
    vitals = known.get(pool)
    if vitals is None:
        vitals = known.setdefault(pool, Vitals(instrument, pool))
    vitals.add(engine)
    return vitals


class Vitals:
    """Of one database, as long as somebody keeps this."""

    def __init__(self, instrument: Instrument, pool: str) -> None:
        self._recorder = instrument.recorder
        self._pool = pool
        self._ways: list[tuple[str, OwnConnections]] = []
        """To it, by its system: those of engines that are gone are left out."""
        self._before: dict[tuple[str, ...], float] = {}
        self._asking: threading.Thread | None = None
        self._recorder.every_while(ASKED_EVERY, DUTY, self, Vitals.begin)

    def add(self, engine: sa.Engine) -> None:
        self._ways = [*self._living(), (engine.dialect.name, OwnConnections(engine))]

    def _living(self) -> list[tuple[str, OwnConnections]]:
        return [way for way in self._ways if not way[1].over]

    def begin(self) -> None:
        """Ask, in a thread, if it is this process's turn and nobody waits for an answer already."""
        # Of a thread that did not come along when this process was forked, it is known that it is not alive.
        if self._recorder.leads(DUTY) and (self._asking is None or not self._asking.is_alive()):
            self._asking = threading.Thread(target=self.ask, name="stethoscope vitals", daemon=True)
            self._asking.start()

    def ask(self) -> None:
        """Ask now, once, whatever the number of engines. A database that does not answer is one that is not up."""
        self._ways = living = self._living()
        if not living:
            return
        system, own = living[0]
        try:
            own.visit({"postgresql": self._postgresql, "sqlite": self._sqlite}.get(system, _nothing))
        except Exception as error:
            self._set(names.DATABASE_UP, 0.0)
            self._recorder.warn_once(f"vitals {self._pool}", "no vitals of the database %s: %r", self._pool, error)
        else:
            self._set(names.DATABASE_UP, 1.0)

    def _set(self, metric: Metric, value: float, *labels: str) -> None:
        self._recorder.gauge(metric, (self._pool, *labels)).set(float(value))

    def _add(self, metric: Metric, total: float, label: str) -> None:
        """What a counter of the database's has risen since we asked last. From zero on after it was reset."""
        key = (metric.name, label)
        before = self._before.get(key)
        self._before[key] = total
        if before is not None:
            self._recorder.counter(metric, (self._pool, label)).add(total - before if total >= before else total)

    def _sqlite(self, connection: sa.Connection) -> None:
        asked = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "page_count", "page_size")
        }
        self._set(names.SQLITE_SIZE, int(asked["page_count"] or 0) * int(asked["page_size"] or 0))
        self._set(names.SQLITE_SETTINGS, 1.0, str(asked["journal_mode"]), _SYNCHRONOUS[int(asked["synchronous"] or 0)])

    def _postgresql(self, connection: sa.Connection) -> None:
        for about, ask in (
            ("activity", self._activity),
            ("totals", self._totals),
            ("tables", self._tables),
            ("statements", self._statements),
        ):
            try:
                ask(connection)
            except sa.exc.DBAPIError as error:
                connection.rollback()
                if error.connection_invalidated:
                    raise
                self._missing(about, error)

    def _missing(self, about: str, error: Exception) -> None:
        grant = "CREATE EXTENSION pg_stat_statements" if about == "statements" else "GRANT pg_monitor TO CURRENT_USER"
        self._say(about, f"{type(error).__name__}", grant)

    def _say(self, about: str, why: str, grant: str) -> None:
        self._recorder.warn_once(
            f"vitals {self._pool} {about}",
            "the database %s does not tell us its %s (%s); as an administrator: %s",
            self._pool,
            about,
            why,
            grant,
        )
        self._note(f"missing {about}", {"what": about, "grant": grant})

    def _note(self, about: str, content: Mapping[str, object]) -> None:
        self._recorder.note(names.DATABASES, f"{self._pool} {about}", {"pool": self._pool, "about": about, **content})

    def _activity(self, connection: sa.Connection) -> None:
        rows = [row._mapping for row in connection.exec_driver_sql(_STATES)]
        found = {row["state"]: row for row in rows}
        for state in {"active", "idle", "idle in transaction", *found}:
            self._set(names.POSTGRESQL_CONNECTIONS, found[state]["connections"] if state in found else 0.0, state)
        self._set(names.POSTGRESQL_LONGEST_TRANSACTION, max([float(row["longest"] or 0) for row in rows], default=0.0))
        self._set(names.POSTGRESQL_WAITING_LOCKS, connection.exec_driver_sql(_LOCKS).scalar() or 0)
        if any(row["hidden"] for row in rows):
            self._say("activity", "other users' is hidden", "GRANT pg_monitor TO CURRENT_USER")

    def _totals(self, connection: sa.Connection) -> None:
        row = connection.exec_driver_sql(_DATABASE).one()._mapping
        for outcome, column in (("commit", "xact_commit"), ("rollback", "xact_rollback")):
            self._add(names.POSTGRESQL_TRANSACTIONS, row[column], outcome)
        for source, column in (("hit", "blks_hit"), ("read", "blks_read")):
            self._add(names.POSTGRESQL_BLOCKS, row[column], source)
        for operation in _TUPLES:
            self._add(names.POSTGRESQL_TUPLES, row[f"tup_{operation}"], operation)

    def _tables(self, connection: sa.Connection) -> None:
        tables = [dict(row._mapping) for row in connection.exec_driver_sql(_TABLES)]
        for table in tables:
            self._set(names.POSTGRESQL_DEAD_TUPLES, table["dead"], table["name"])
            self._set(names.POSTGRESQL_TABLE_SIZE, table["size"], table["name"])
        self._note("tables", {"tables": tables})
        self._note("unused indexes", {"indexes": [dict(row._mapping) for row in connection.exec_driver_sql(_UNUSED)]})

    def _statements(self, connection: sa.Connection) -> None:
        """PostgreSQL has put placeholders for their literals."""
        rows = [row._mapping for row in connection.exec_driver_sql(_STATEMENTS)]
        told = [{**row, "query": row["query"][:_MOST_TEXT], "seconds": float(row["seconds"])} for row in rows]
        self._note("statements", {"statements": told})


def _nothing(connection: sa.Connection) -> None:
    connection.exec_driver_sql("SELECT 1")
