"""What pools of SQLAlchemy say of themselves."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.pool import QueuePool

from stethoscope.instruments.database.pool import Numbers


def read_pool(pool: Any) -> Numbers:
    """A queue's numbers, sync or async; nothing for pools that have none, or of which they would mean nothing."""
    if not isinstance(pool, QueuePool):
        return Numbers()
    size, overflow = pool.size(), pool.overflow()
    most = getattr(pool, "_max_overflow", -1)
    return Numbers(
        size=size,
        most=size + most if most >= 0 and size > 0 else None,
        idle=pool.checkedin(),
        used=pool.checkedout(),
        # Below zero while the pool has not opened all that it keeps.
        overflow=max(overflow, 0),
    )


def pool_name(engine: Engine) -> str:
    """``host:port/database``, or the pool's own name (Database semantic conventions, ``db.client.connection.pool.name``)."""
    if engine.pool.logging_name:
        return str(engine.pool.logging_name)[:128]
    url = engine.url
    where = f"{url.host or ''}:{url.port}" if url.port else url.host or ""
    name = f"{where}/{url.database or ''}" if where else str(url.database or "")
    return (name or engine.dialect.name)[:128]
