"""Connections of our own to a database of the app's: never one that the app waits for.

Made as the app's engine makes its own, with the same driver, user and options, outside of its pool, for the length
of a visit; read-only, and with a limit of a second for each statement where the product has one.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, TypeVar
from weakref import WeakSet

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import NullPool

Result = TypeVar("Result")

OURS: Final[ContextVar[bool]] = ContextVar("stethoscope_own_connection", default=False)
"""Whether the running code makes connections for us."""
own_dialects: Final[WeakSet[object]] = WeakSet()
"""Of engines that are not the app's."""

_LIMITS: Final = {
    "postgresql": ("SET statement_timeout = 1000", "SET default_transaction_read_only = on"),
    "sqlite": ("PRAGMA query_only = on",),
}


class OwnConnections:
    """To the database of an engine of the app's, which is not kept by them: once it is gone they are over."""

    def __init__(self, engine: sa.Engine) -> None:
        self._dialect = weakref.ref(engine.dialect)
        # As it connects knows its dialect, so the one must not be kept either.
        self._creator = creator = _weakly(engine.pool._creator)
        self._engine = sa.create_engine(
            engine.url, creator=lambda record: _created(creator, record), poolclass=NullPool
        )
        own_dialects.add(self._engine.dialect)

    @property
    def over(self) -> bool:
        return self._dialect() is None or self._creator() is None

    def quote(self, name: str) -> str:
        """As the database wants it in a statement."""
        return self._engine.dialect.identifier_preparer.quote(name)

    def visit(self, ask: Callable[[sa.Connection], Result]) -> Result:
        """What ``ask`` finds with a connection of its own. For a thread without an event loop. Raises what the database does."""
        token = OURS.set(True)
        try:
            if self._engine.dialect.is_async:
                return asyncio.run(_visit_async(self._engine, ask))
            with self._engine.connect() as connection:
                return ask(_limited(connection))
        finally:
            OURS.reset(token)


def _weakly(creator: Any) -> Callable[[], Any]:
    """The function of a pool that connects. All that are made of the pool have the same one."""
    try:
        return weakref.ref(creator)
    except TypeError:  # an object of the app's that allows none
        return lambda: creator


def _created(creator: Callable[[], Any], record: Any) -> Any:
    found = creator()
    if found is None:
        raise RuntimeError("the engine is gone")
    return NullPool(found)._invoke_creator(record)  # which knows whether the app's takes the record


async def _visit_async(own: sa.Engine, ask: Callable[[sa.Connection], Result]) -> Result:
    async with AsyncEngine(own).connect() as connection:
        return await connection.run_sync(lambda sync: ask(_limited(sync)))


def _limited(connection: sa.Connection) -> sa.Connection:
    for statement in _LIMITS.get(connection.dialect.name, ()):
        connection.exec_driver_sql(statement)
    connection.commit()
    return connection
