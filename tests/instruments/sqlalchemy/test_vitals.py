"""What databases say about themselves."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import sqlalchemy as sa

from stethoscope import names
from stethoscope.instruments.database.instrument import instrument_of
from stethoscope.instruments.sqlalchemy.vitals import Vitals
from stethoscope.settings import Settings
from stethoscope.store.recorder import Recorder
from tests.instruments.reading import numbers
from tests.postgresql import Cluster

DRIVERS = pytest.mark.parametrize("driver", ["pg8000", "asyncpg"])


def vitals(own: Recorder, url: str) -> Vitals:
    return Vitals(instrument_of(own, Settings()), sa.create_engine(url), "shop")


@DRIVERS
def test_postgresql_tells_its_numbers(postgresql: Cluster, own: Recorder, driver: str) -> None:
    app = sa.create_engine(postgresql.url("pg8000"))
    asked = vitals(own, postgresql.url(driver))
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
        asked = vitals(own, postgresql.url(driver, user="guest"))
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
    asked = vitals(own, "postgresql+pg8000://postgres@127.0.0.1:1/x")
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
    vitals(own, url).ask()
    assert numbers(own, names.SQLITE_SETTINGS.name) == {("shop", "wal", "full"): 1}
    assert numbers(own, names.SQLITE_SIZE.name)[("shop",)] >= 8192
