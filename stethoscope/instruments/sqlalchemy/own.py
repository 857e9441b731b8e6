"""Connections of our own to a database of the app's: never one that the app waits for.

Made as the app's engine makes its own, with the same driver, user and options, outside of its pool, for the length
of a visit; read-only, and with a limit of a second for each statement where the product has one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final, TypeVar
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


def own_engine(engine: sa.Engine) -> sa.Engine:
    """An engine that opens a connection for each visit."""
    own = sa.create_engine(engine.url, creator=engine.pool._creator, poolclass=NullPool)
    own_dialects.add(own.dialect)
    return own


def visit(own: sa.Engine, ask: Callable[[sa.Connection], Result]) -> Result:
    """What ``ask`` finds with a connection of its own. For a thread without an event loop. Raises what the database does."""
    token = OURS.set(True)
    try:
        if own.dialect.is_async:
            return asyncio.run(_visit_async(own, ask))
        with own.connect() as connection:
            return ask(_limited(connection))
    finally:
        OURS.reset(token)


async def _visit_async(own: sa.Engine, ask: Callable[[sa.Connection], Result]) -> Result:
    async with AsyncEngine(own).connect() as connection:
        return await connection.run_sync(lambda sync: ask(_limited(sync)))


def _limited(connection: sa.Connection) -> sa.Connection:
    for statement in _LIMITS.get(connection.dialect.name, ()):
        connection.exec_driver_sql(statement)
    connection.commit()
    return connection
