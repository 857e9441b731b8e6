"""One engine for each way of having connections. Their names tell them apart in what is measured."""

from __future__ import annotations

import os
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

URL: Final = sa.make_url(os.environ.get("SHOP_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres"))


def sync_engine(name: str, **options: Any) -> sa.Engine:
    """The server knows its connections by the name too: ``application_name`` in ``pg_stat_activity``."""
    return sa.create_engine(
        URL.set(drivername="postgresql+pg8000"),
        pool_logging_name=name,
        connect_args={"application_name": name},
        **options,
    )


def async_engine(name: str, **options: Any) -> AsyncEngine:
    return create_async_engine(
        URL.set(drivername="postgresql+asyncpg"),
        pool_logging_name=name,
        connect_args={"server_settings": {"application_name": name}},
        **options,
    )


shop: Final = sync_engine("shop")
shop_async: Final = async_engine("shop async", pool_size=10)

small: Final = sync_engine("small", pool_size=1, max_overflow=0)
sized: Final = sync_engine("sized", pool_size=10)

unpinged: Final = async_engine("unpinged")
pinged: Final = async_engine("pinged", pool_pre_ping=True)
