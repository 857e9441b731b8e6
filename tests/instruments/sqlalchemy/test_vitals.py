"""What databases say about themselves."""

from __future__ import annotations

import gc
import logging
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import stethoscope
from stethoscope import names
from stethoscope.instruments.database.instrument import instrument_of
from stethoscope.instruments.sqlalchemy import engines
from stethoscope.instruments.sqlalchemy.vitals import DUTY, Vitals, vitals_of
from stethoscope.settings import Settings
from stethoscope.store.recorder import Recorder
from tests.instruments.reading import numbers
from tests.postgresql import Cluster

DRIVERS = pytest.mark.parametrize("driver", ["pg8000", "asyncpg"])


CHOSEN = Settings(instruments=("database-vitals",))


def vitals(own: Recorder, engine: sa.Engine) -> Vitals:
    """To be asked while the engine is there."""
    return vitals_of(instrument_of(own, CHOSEN), engine, "shop")


@DRIVERS
def test_postgresql_tells_its_numbers(postgresql: Cluster, own: Recorder, driver: str) -> None:
    app = sa.create_engine(postgresql.url("pg8000"))
    engine = sa.create_engine(postgresql.url(driver))
    asked = vitals(own, engine)
    with app.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS vital (id INTEGER)")
        connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        connection.commit()
        connection.exec_driver_sql("SELECT 1")
        asked.ask()
        states = numbers(own, names.POSTGRESQL_CONNECTIONS.name)
        assert states["shop", "idle in transaction"] >= 1
        connection.rollback()
    for outcome in ("rollback", "commit"):
        with app.connect() as connection:
            connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
            getattr(connection, outcome)()
    asked.ask()
    assert numbers(own, names.DATABASE_UP.name) == {("shop",): 1}
    assert sum(numbers(own, names.POSTGRESQL_TRANSACTIONS.name).values()) >= 1
    assert numbers(own, names.POSTGRESQL_BLOCKS.name)["shop", "hit"] > 0
    assert ("shop", "public.vital") in numbers(own, names.POSTGRESQL_TABLE_SIZE.name)
    assert numbers(own, names.POSTGRESQL_WAITING_LOCKS.name) == {("shop",): 0}
    about = {note.content["about"]: note.content for note in own.notes(names.DATABASES)}
    assert {"tables", "unused indexes", "statements"} <= set(about)
    assert numbers(own, names.INTERNAL_ERRORS.name) == {}
    app.dispose()


@DRIVERS
def test_what_may_not_be_read_is_said_once_with_its_grant(
    postgresql: Cluster, own: Recorder, driver: str, caplog: pytest.LogCaptureFixture
) -> None:
    admin = sa.create_engine(postgresql.url("pg8000"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql("DROP EXTENSION IF EXISTS pg_stat_statements")
        connection.exec_driver_sql("DROP ROLE IF EXISTS guest")
        connection.exec_driver_sql("CREATE ROLE guest LOGIN")
        engine = sa.create_engine(postgresql.url(driver, user="guest"))
        asked = vitals(own, engine)
        with caplog.at_level(logging.WARNING):
            asked.ask()
            asked.ask()
    admin.dispose()
    said = sorted(record.getMessage() for record in caplog.records)
    assert len(said) == 2
    assert "GRANT pg_monitor TO CURRENT_USER" in said[0]
    assert "CREATE EXTENSION pg_stat_statements" in said[1]
    assert numbers(own, names.DATABASE_UP.name) == {("shop",): 1}


def test_database_that_is_gone_is_not_up(own: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    engine = sa.create_engine("postgresql+pg8000://postgres@127.0.0.1:1/x")
    asked = vitals(own, engine)
    with caplog.at_level(logging.WARNING):
        asked.ask()
        asked.ask()
    assert numbers(own, names.DATABASE_UP.name) == {("shop",): 0}
    assert len(caplog.records) == 1


def test_sqlite_tells_its_settings_and_size(tmp_path: Path, own: Recorder) -> None:
    url = f"sqlite:///{tmp_path}/shop"
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        connection.exec_driver_sql("CREATE TABLE t (id INTEGER)")
    engine = sa.create_engine(url)
    vitals(own, engine).ask()
    assert numbers(own, names.SQLITE_SETTINGS.name) == {("shop", "wal", "full"): 1}
    assert numbers(own, names.SQLITE_SIZE.name)[("shop",)] >= 8192


def chores(own: Recorder) -> int:
    return sum(chore.where == DUTY for chore in own.chores)


def test_engines_with_a_pool_of_one_name_are_one_database(
    postgresql: Cluster, own: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    instrument_of(own, CHOSEN)
    asked: list[Vitals] = []
    monkeypatch.setattr(Vitals, "begin", asked.append)
    both = [
        stethoscope.watch(sa.create_engine(postgresql.url("pg8000"))),
        stethoscope.watch(create_async_engine(postgresql.url("asyncpg"))).sync_engine,
    ]
    first, second = (engines._watched[engine.dialect].vitals for engine in both)
    assert first is second
    assert chores(own) == 1
    (chore,) = (chore for chore in own.chores if chore.where == DUTY)
    chore.task()
    assert asked == [first]


def test_engine_that_is_gone_is_kept_by_nobody_and_its_database_left_alone(tmp_path: Path, own: Recorder) -> None:
    instrument_of(own, CHOSEN)
    url = f"sqlite:///{tmp_path}/shop"
    opened: list[object] = []

    def watched() -> sa.Engine:
        def connect() -> sqlite3.Connection:
            opened.append(url)
            return sqlite3.connect(f"{tmp_path}/shop", check_same_thread=False)

        return stethoscope.watch(sa.create_engine(url, creator=connect))

    first, second = watched(), watched()
    asked = engines._watched[first.dialect].vitals
    assert asked is not None
    asked.ask()
    assert len(opened) == 1
    del first
    gc.collect()
    asked.ask()  # by the other's way
    assert len(opened) == 2
    del second
    gc.collect()
    asked.ask()
    assert len(opened) == 2
    assert numbers(own, names.DATABASE_UP.name) == {(url.removeprefix("sqlite:///"),): 1}
    assert chores(own) == 1
    del asked
    gc.collect()
    assert chores(own) == 0
