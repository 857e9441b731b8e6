"""Where SQLAlchemy is listened to: methods of a dialect, one of the class `Engine`, two events of pools.

Not its events of execution: an engine with any listener takes 12 µs more for each query, before the
listener has done anything (``before_execute`` and the like are prepared too), and a session with one 40 µs. A
dialect's ``do_execute`` is around exactly what the driver does, errors and cancellation with it.

An engine is found when it asks its pool for a connection, `Engine.raw_connection`: also one that was made before
us, one made of another by ``execution_options()``, and the new pool that is left by ``dispose()``.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import Callable
from functools import wraps
from time import perf_counter
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import event, exc
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

from stethoscope.instruments.database.comments import commenting
from stethoscope.instruments.database.database import Database
from stethoscope.instruments.database.pool import Checkout, PoolWatch
from stethoscope.instruments.sqlalchemy import eager
from stethoscope.instruments.sqlalchemy.checkouts import (
    CHECKOUT,
    around_settling,
    checkout_of,
    fetches_late,
    notice_drivers,
)
from stethoscope.instruments.sqlalchemy.explain import Explainer
from stethoscope.instruments.sqlalchemy.loaders import describe
from stethoscope.instruments.sqlalchemy.own import own_dialects
from stethoscope.instruments.sqlalchemy.pools import pool_name, read_pool
from stethoscope.instruments.sqlalchemy.vitals import Vitals, vitals_of

if TYPE_CHECKING:
    from stethoscope.instruments.database.instrument import Instrument

_THERE: Final = "stethoscope there"
"""What it carries under, until it is given out, when the pool had it."""
_NEAR: Final = 8
"""Frames between an event of a pool and what it comes from."""
# What SQLAlchemy calls a product, and the semantic conventions (v1.37, ``db.system.name``) do.
_SYSTEMS: Final = {"mssql": "microsoft.sql_server", "oracle": "oracle.db", "db2": "ibm.db2"}

_everything: weakref.ref[Instrument] | None = None
"""Who gets the engines that nobody has spoken of."""


class _Watched:
    """An engine's dialect, and where it is recorded."""

    __slots__ = ("database", "instrument", "listens", "pools", "vitals")

    def __init__(self, instrument: Instrument, database: Database) -> None:
        self.instrument = instrument
        self.database = database
        self.listens = False
        self.vitals: Vitals | None = None
        """Kept for it, where they are wanted."""
        self.pools: WeakKeyDictionary[Pool, PoolWatch] = WeakKeyDictionary()

    def watch_of(self, pool: Pool) -> PoolWatch:
        watch = self.pools.get(pool)
        if watch is None:
            watch = self.pools[pool] = self.instrument.pool(self.database.pool, read_pool)
            watch.add(pool)
            _around_pool(pool, watch, self.instrument)
        return watch


class _Memo(NamedTuple):
    """What an engine has been found out about, as long as it has the same pool."""

    pool: weakref.ref[Pool]
    watched: _Watched
    watch: PoolWatch


_MEMO: Final = "_stethoscope"
"""What an engine has it under."""

_watched: Final[WeakKeyDictionary[object, _Watched]] = WeakKeyDictionary()
"""By dialect: an engine and those made of it by ``execution_options()`` share theirs."""


def watch_all(instrument: Instrument) -> None:
    """Watch every engine that is used from now on. The first instrument to ask for them gets them."""
    global _everything
    if _everything is None or _everything() is None:
        _everything = weakref.ref(instrument)
    _listen()


def watch(engine: object, instrument: Callable[[], Instrument]) -> bool:
    """Watch one engine, sync or async. False for what is none."""
    engine = getattr(engine, "sync_engine", engine)
    if not isinstance(engine, Engine):
        return False
    _listen()
    if engine.dialect not in _watched:
        _begin(engine, instrument())
    return True


def _begin(engine: Engine, instrument: Instrument) -> _Watched:
    dialect = engine.dialect
    database = Database(
        instrument,
        _SYSTEMS.get(dialect.name, dialect.name),
        pool_name(engine),
        describe,
        None if dialect.is_async else asyncio._get_running_loop,
    )
    watched = _watched[dialect] = _Watched(instrument, database)
    if "database-vitals" in instrument.chosen:
        watched.vitals = vitals_of(instrument, engine, database.pool)
    if "explain" in instrument.chosen:
        database.explain = Explainer(instrument, engine).ask
    database.look_ahead = eager.look
    watch = watched.watch_of(engine.pool)
    watch.fetches_late = watch.fetches_late or fetches_late(dialect)
    return watched


def _around_execution(dialect: Any, database: Database) -> None:
    """Put ourselves around what executes. As attributes of the one object: no other dialect notices."""

    def failed(error: BaseException, cursor: Any, context: Any) -> None:
        _look_for_stale(database, dialect, error, cursor, context)

    execute_plain = dialect.do_execute_no_params
    execute, execute_many = dialect.do_execute, dialect.do_executemany

    def without_parameters(cursor: Any, sql: str, _: Any, context: Any) -> None:
        execute_plain(cursor, sql, context)

    if "sql-comments" in database.instrument.chosen:
        # pg8000 leaves comments alone.
        escaped = dialect.paramstyle in ("format", "pyformat") and dialect.driver != "pg8000"
        execute, execute_many = (commenting(one, escaped=escaped) for one in (execute, execute_many))
        without_parameters = commenting(without_parameters, escaped=False)
    plain = database.around(without_parameters, failed)
    dialect.do_execute = database.around(execute, failed)
    dialect.do_executemany = database.around(execute_many, failed, many=True)
    dialect.do_execute_no_params = lambda cursor, sql, context=None: plain(cursor, sql, (), context)


def _around_pool(pool: Any, watch: PoolWatch, instrument: Instrument) -> None:
    """Time how its connections are opened, whoever does that, and note when one is there: a ping comes later, and is no wait for others."""
    create, get = pool._invoke_creator, type(pool)._do_get
    itself = weakref.ref(pool)  # or it would be kept by its own method after it was disposed of

    def created(record: Any) -> Any:
        started = perf_counter()
        connection = create(record)
        try:
            watch.create_time.record(perf_counter() - started)
        except Exception as error:
            instrument.failed(error)
        return connection

    def got() -> Any:
        record = get(itself())
        record.record_info[_THERE] = perf_counter()
        return record

    pool._invoke_creator, pool._do_get = created, got


def _look_for_stale(database: Database, dialect: Any, error: BaseException, cursor: Any, context: Any) -> None:
    """Whether the connection had died in the pool, for want of a ping before it was given out."""
    try:
        if context is None or not isinstance(error, dialect.loaded_dbapi.Error):
            return
        connection = context.root_connection.connection
        checkout = checkout_of(connection)
        pool = context.root_connection.engine.pool
        if checkout is None or not checkout.just_reused() or getattr(pool, "_pre_ping", True):
            return
        if dialect.is_disconnect(error, connection.dbapi_connection, cursor):
            database.note_stale()
    except Exception as failure:
        database.instrument.failed(failure)


_listening = False


def _listen() -> None:
    """Once for each process, whoever asks."""
    global _listening
    if _listening:
        return
    _listening = True
    event.listen(Pool, "checkin", _given_back)
    event.listen(Pool, "detach", _detached)
    notice_drivers()
    plain = Engine.raw_connection

    @wraps(plain)
    def raw_connection(engine: Engine) -> Any:
        found: _Memo | None = engine.__dict__.get(_MEMO)
        if found is None or found.pool() is not engine.pool:
            found = _look_up(engine)
        return plain(engine) if found is None else _connect(found.watched, found.watch, plain, engine)

    Engine.raw_connection = raw_connection  # type: ignore[method-assign, assignment]


def _look_up(engine: Engine) -> _Memo | None:
    """Where an engine's connections are recorded, remembered with it for the next one."""
    watched, instrument = _watched.get(engine.dialect), None if _everything is None else _everything()
    try:
        if watched is None:
            if instrument is None or engine.dialect in own_dialects:
                return None
            watched = _begin(engine, instrument)
        memo = engine.__dict__[_MEMO] = _Memo(weakref.ref(engine.pool), watched, watched.watch_of(engine.pool))
    except Exception as error:
        whose = watched.instrument if watched else instrument
        if whose is not None:
            whose.failed(error)
        return None
    return memo


def _connect(watched: _Watched, pool: PoolWatch, plain: Callable[[Engine], Any], engine: Engine) -> Any:
    try:
        pool.pending.add(1.0)
    except Exception as error:
        watched.instrument.failed(error)
        return plain(engine)
    started = perf_counter()
    try:
        connection = plain(engine)
    except exc.TimeoutError:
        pool.timeouts.add(1.0)
        raise
    finally:
        pool.pending.add(-1.0)
    try:
        if not watched.listens:
            # Not before the first connection is there: what a dialect asks to learn the server's ways is not the app's.
            watched.listens = True
            _around_execution(engine.dialect, watched.database)
            around_settling(engine.dialect, watched.instrument)
        record = connection.record_info
        if record is not None and CHECKOUT not in record:
            reused = connection.info.setdefault(CHECKOUT, started) != started
            record[CHECKOUT] = pool.taken(started, record.pop(_THERE, started), reused)
    except Exception as error:
        watched.instrument.failed(error)
    return connection


def _given_back(_connection: object, record: Any) -> None:
    checkout: Checkout | None = record.record_info.pop(CHECKOUT, None)
    if checkout is not None:
        checkout.pool.given_back(checkout)


def _detached(connection: object, record: Any) -> None:
    """By its user, or by the garbage collector, which can give back no connection of an async driver."""
    checkout: Checkout | None = record.record_info.pop(CHECKOUT, None)
    if checkout is not None:
        checkout.pool.given_back(checkout, lost=_collects_garbage())


def _collects_garbage() -> bool:
    frame: FrameType | None = sys._getframe(2)
    for _ in range(_NEAR):
        if frame is None:
            return False
        if frame.f_code.co_name == "_finalize_fairy":
            return bool(frame.f_locals.get("is_gc_cleanup"))
        frame = frame.f_back
    return False
