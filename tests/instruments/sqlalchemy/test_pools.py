"""Numbers of pools: what they say of themselves, and what it takes to get a connection."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
import weakref
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine

import stethoscope
from stethoscope import names
from stethoscope.dashboards.documents.database import pools
from stethoscope.instruments.sqlalchemy import engines
from stethoscope.names import Metric
from stethoscope.store.recorder import Recorder
from tests.instruments.reading import numbers, sum_of
from tests.instruments.sqlalchemy.shop import instrument

pytestmark = pytest.mark.usefixtures("own")

GAUGES = (names.POOL_CONNECTIONS, names.POOL_MAX, names.POOL_SIZE, names.POOL_OVERFLOW)


def sampled(own: Recorder) -> dict[str, float]:
    """What the gauges say now, by their name or state."""
    instrument(own).sample_pools()
    found: dict[str, float] = {}
    for metric in GAUGES:
        for labels, value in numbers(own, metric.name).items():
            found[labels[1] if len(labels) > 1 else metric.name.removeprefix("stethoscope_")] = value
    return found


def count(own: Recorder, metric: Metric) -> float:
    return sum(numbers(own, metric.name).values())


def queue(path: Path, **options: object) -> sa.Engine:
    return stethoscope.watch(sa.create_engine(f"sqlite:///{path}/shop", **options))


def test_gauges_follow_the_pool(tmp_path: Path, own: Recorder) -> None:
    engine = queue(tmp_path, pool_size=2, max_overflow=3)
    first, second, third = (engine.connect() for _ in range(3))
    here = {"db_client_connection_max": 5, "db_pool_size": 2}
    assert sampled(own) == {**here, "idle": 0, "used": 3, "db_pool_overflow": 1}
    first.close()
    assert sampled(own) == {**here, "idle": 1, "used": 2, "db_pool_overflow": 1}
    second.detach()
    assert sampled(own) == {**here, "idle": 1, "used": 1, "db_pool_overflow": 0} or sampled(own)["used"] == 1
    third.invalidate()
    third.close()
    assert sampled(own)["used"] == 0
    engine.dispose()
    assert sampled(own) == {**here, "idle": 0, "used": 0, "db_pool_overflow": 0}
    second.close()
    with engine.connect():
        assert sampled(own) == {**here, "idle": 0, "used": 1, "db_pool_overflow": 0}


def test_gauges_of_pools_that_are_gone_are_zero(tmp_path: Path, own: Recorder) -> None:
    """An engine for each tenant, say: they would look exhausted for good."""
    engine = queue(tmp_path, pool_size=1, max_overflow=0)
    connection = engine.connect()
    assert sampled(own) == {
        "db_client_connection_max": 1,
        "db_pool_size": 1,
        "idle": 0,
        "used": 1,
        "db_pool_overflow": 0,
    }
    connection.close()
    engine.dispose()
    del engine, connection
    gc.collect()
    gone = sampled(own)
    assert gone == dict.fromkeys(gone, 0)
    (shown,) = pools(own.snapshot())
    assert (shown["limit"], shown["use_ratio"]) == (None, None)
    engine = queue(tmp_path, pool_size=2, max_overflow=-1)  # without a limit
    with engine.connect():
        assert sampled(own) == {**gone, "db_pool_size": 2, "used": 1}
    engine.dispose()


def test_gauges_of_an_async_pool(tmp_path: Path, own: Recorder) -> None:
    async def run() -> None:
        engine = stethoscope.watch(create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/shop", pool_size=2))
        async with engine.connect():
            assert sampled(own)["used"] == 1
        assert (sampled(own)["used"], sampled(own)["idle"]) == (0, 1)
        await engine.dispose()

    asyncio.run(run())


@pytest.mark.parametrize("kind", [pool.NullPool, pool.StaticPool, pool.SingletonThreadPool, pool.AssertionPool])
def test_pool_without_numbers_shows_none(tmp_path: Path, own: Recorder, kind: type[pool.Pool]) -> None:
    engine = queue(tmp_path, poolclass=kind)
    for _ in range(2):
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT 1")).scalar() == 1
            assert sampled(own) == {}
    assert count(own, names.POOL_USE_TIME) == 2
    assert count(own, names.POOL_WAIT_TIME) == 2
    assert count(own, names.POOL_PENDING) == 0
    engine.dispose()


def test_wait_create_and_use_are_timed(tmp_path: Path, own: Recorder) -> None:
    engine = queue(tmp_path)
    for _ in range(3):
        with engine.connect():
            pass
    assert (count(own, names.POOL_WAIT_TIME), count(own, names.POOL_USE_TIME)) == (3, 3)
    assert count(own, names.POOL_CREATE_TIME) == 1
    (name,) = numbers(own, names.POOL_CREATE_TIME.name)
    assert name == (f"{tmp_path}/shop",)
    assert sum_of(own, names.POOL_CREATE_TIME.name, name) <= sum_of(own, names.POOL_WAIT_TIME.name, name)
    engine.dispose()


@pytest.mark.parametrize("kind", [pool.QueuePool, pool.NullPool])
def test_connections_of_a_creator_are_opened_too(own: Recorder, kind: type[pool.Pool]) -> None:
    """One that fetches a token first, say: the engine's dialect connects nothing."""
    engine = stethoscope.watch(
        sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(":memory:"), poolclass=kind)
    )
    for _ in range(2):
        with engine.connect():
            pass
    assert count(own, names.POOL_CREATE_TIME) == (2 if kind is pool.NullPool else 1)
    engine.dispose()


def test_ping_is_no_wait_for_a_connection(tmp_path: Path, own: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = queue(tmp_path, pool_pre_ping=True)
    pings = iter((100.0, 200.0))
    now = [0.0]
    monkeypatch.setattr(engines, "perf_counter", lambda: now[0])

    def ping(_: object) -> bool:
        now[0] = next(pings)
        return True

    monkeypatch.setattr(engine.dialect, "do_ping", ping)
    for _ in range(3):
        with engine.connect():
            pass
    assert next(pings, None) is None
    assert count(own, names.POOL_WAIT_TIME) == 3
    assert sum_of(own, names.POOL_WAIT_TIME.name, (f"{tmp_path}/shop",)) == 0
    engine.dispose()


def test_pool_that_was_disposed_of_is_not_kept(tmp_path: Path, own: Recorder) -> None:
    engine = queue(tmp_path)
    with engine.connect():
        pass
    old = weakref.ref(engine.pool)
    engine.dispose()
    assert old() is None
    with engine.connect():
        pass
    assert count(own, names.POOL_CREATE_TIME) == 2
    engine.dispose()


def test_waiting_shows_as_pending_and_a_timeout_is_counted(tmp_path: Path, own: Recorder) -> None:
    engine = queue(tmp_path, pool_size=1, max_overflow=0, pool_timeout=0.3)
    ended = threading.Event()

    def wait() -> None:
        with pytest.raises(sa.exc.TimeoutError):
            engine.connect()
        ended.set()

    with engine.connect():
        waiting = threading.Thread(target=wait)
        waiting.start()
        seen = 0.0
        while not ended.is_set():
            seen = max(seen, count(own, names.POOL_PENDING))
        waiting.join()
    assert seen == 1
    assert count(own, names.POOL_PENDING) == 0
    assert count(own, names.POOL_TIMEOUTS) == 1
    engine.dispose()


def test_connection_that_was_detached_or_invalidated_was_used_until_then(tmp_path: Path, own: Recorder) -> None:
    engine = queue(tmp_path)
    detached, invalidated = engine.connect(), engine.connect()
    detached.detach()
    assert count(own, names.POOL_USE_TIME) == 1
    invalidated.invalidate()
    invalidated.close()
    assert count(own, names.POOL_USE_TIME) == 2
    detached.close()
    assert count(own, names.POOL_USE_TIME) == 2
    engine.dispose()


def test_pools_of_one_name_are_added_up(tmp_path: Path, own: Recorder) -> None:
    engines = [queue(tmp_path), queue(tmp_path)]
    with engines[0].connect(), engines[1].connect():
        assert sampled(own)["used"] == 2
    for engine in engines:
        engine.dispose()


def test_name_of_a_pool_has_no_password(own: Recorder) -> None:
    from stethoscope.instruments.sqlalchemy.pools import pool_name

    engine = sa.create_engine("postgresql+pg8000://me:secret@db.example:5433/shop?ssl=1")
    assert pool_name(engine) == "db.example:5433/shop"
    assert (
        pool_name(sa.create_engine("postgresql+pg8000://me:secret@db.example:5433/shop", pool_logging_name="main"))
        == "main"
    )
    assert pool_name(sa.create_engine("sqlite://")) == "sqlite"
