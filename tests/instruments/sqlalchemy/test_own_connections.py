"""Work of ours in databases: never on a connection that the app waits for, and harmless when the database goes away meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

import stethoscope
from stethoscope import names
from stethoscope.instruments.database.instrument import instrument_of
from stethoscope.instruments.sqlalchemy import engines
from stethoscope.instruments.sqlalchemy.pools import pool_name
from stethoscope.instruments.sqlalchemy.vitals import Vitals
from stethoscope.settings import Settings
from stethoscope.store.recorder import Recorder
from stethoscope.thresholds import Thresholds
from tests.instruments.reading import numbers
from tests.instruments.sqlalchemy.shop import findings, in_thread, request
from tests.postgresql import Cluster

ALL = Settings(
    instruments=("sqlalchemy", "explain", "database-vitals"), thresholds=Thresholds.resolve({"slow_query": 1e-9})
)
TAKEN = "SELECT id FROM held WHERE mail = 'x'"
WAITING = """SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()"""


@pytest.fixture
def admin(postgresql: Cluster) -> Iterator[sa.Engine]:
    """With a table of 5,000 rows, and no index."""
    engine = sa.create_engine(postgresql.url("pg8000"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS held")
        connection.exec_driver_sql("CREATE TABLE held (id INTEGER, mail VARCHAR)")
        connection.exec_driver_sql("INSERT INTO held SELECT i, 'mail' || i FROM generate_series(1, 5000) i")
        connection.exec_driver_sql("ANALYZE held")
    yield engine
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE held")
    engine.dispose()


@pytest.fixture
def alone(own: Recorder, postgresql: Cluster, admin: sa.Engine) -> Iterator[sa.Engine]:
    """An app's engine that has a single connection, waits for it for a moment only, and is asked about in every way."""
    instrument_of(own, ALL)
    engine = sa.create_engine(postgresql.url("pg8000"), pool_size=1, max_overflow=0, pool_timeout=0.5)
    yield stethoscope.watch(engine)
    engine.dispose()


def explain(engine: sa.Engine) -> Any:
    found: Any = engines._watched[engine.dialect].database.explain
    return found.__self__


def vitals(engine: sa.Engine) -> Vitals:
    found = engines._watched[engine.dialect].vitals
    assert found is not None
    return found


def test_app_that_holds_its_only_connection_is_explained_and_its_database_asked(
    own: Recorder, alone: sa.Engine
) -> None:
    def work() -> None:
        with alone.connect() as connection:
            connection.exec_driver_sql(TAKEN).all()

    request(in_thread(work), own, None, ALL)
    with alone.connect() as connection:
        # Nobody else gets one now: what took the app's would wait, and fail.
        explain(alone).wait()
        vitals(alone).ask()
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    assert [kind for kind, _, _ in findings(own) if kind == "sequential_scan"] == ["sequential_scan"]
    assert numbers(own, names.DATABASE_UP.name) == {(pool_name(alone),): 1}
    assert sum(numbers(own, names.POOL_TIMEOUTS.name).values()) == 0
    assert numbers(own, names.INTERNAL_ERRORS.name) == {}


def test_app_gets_its_only_connection_at_once_while_ours_waits_for_a_lock(
    own: Recorder, alone: sa.Engine, admin: sa.Engine
) -> None:
    with alone.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    with admin.connect() as locking:
        locking.exec_driver_sql("BEGIN")
        locking.exec_driver_sql("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
        asking = threading.Thread(target=vitals(alone).ask)
        asking.start()
        with admin.connect() as looking:
            waits(looking)
            for _ in range(20):
                with alone.connect() as connection:
                    assert connection.exec_driver_sql("SELECT 1").scalar() == 1
            assert waits(looking), "ours was to wait all the while"
        asking.join()  # its statements end after a second
        locking.exec_driver_sql("ROLLBACK")
    assert sum(numbers(own, names.POOL_TIMEOUTS.name).values()) == 0
    assert numbers(own, names.INTERNAL_ERRORS.name) == {}


def waits(connection: sa.Connection) -> int:
    """The process of ours that waits, once it does."""
    while True:
        pid = connection.exec_driver_sql(WAITING).scalar()
        if pid is not None:
            return int(pid)


def test_connection_that_is_ended_while_vitals_are_asked_for_is_said_once_and_the_next_one_asks_on(
    own: Recorder, alone: sa.Engine, admin: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with alone.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    asked = vitals(alone)
    pool = pool_name(alone)
    with caplog.at_level(logging.WARNING), admin.connect() as locking:
        locking.exec_driver_sql("BEGIN")
        locking.exec_driver_sql("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
        asking = threading.Thread(target=asked.ask)
        asking.start()
        with admin.connect() as looking:
            looking.exec_driver_sql(f"SELECT pg_terminate_backend({waits(looking)})")
        asking.join()
        locking.exec_driver_sql("ROLLBACK")
        assert numbers(own, names.DATABASE_UP.name) == {(pool,): 0}
        with alone.connect() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
        asked.ask()
    assert numbers(own, names.DATABASE_UP.name) == {(pool,): 1}
    assert [one.getMessage() for one in caplog.records if "no vitals of the database" in one.getMessage()][1:] == []
    assert numbers(own, names.INTERNAL_ERRORS.name) == {}
