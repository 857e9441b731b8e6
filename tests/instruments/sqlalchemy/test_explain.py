"""Plans of queries that took long: what an index would serve, found on a connection of our own."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import stethoscope
from stethoscope import names
from stethoscope.instruments.database.instrument import instrument_of
from stethoscope.instruments.sqlalchemy import engines, explain
from stethoscope.settings import Settings
from stethoscope.store.recorder import Recorder
from stethoscope.thresholds import Thresholds
from tests.instruments.reading import numbers
from tests.instruments.sqlalchemy.shop import ROUTE, findings, in_thread, request, respond
from tests.postgresql import Cluster

ALL = Settings(instruments=("explain",), thresholds=Thresholds.resolve({"slow_query": 1e-9}))
WITHOUT_INDEX = sa.text("SELECT id FROM ticket WHERE mail = :mail")
BY_KEY = sa.text("SELECT mail FROM ticket WHERE id = :id")
MOST = sa.text("SELECT count(*) FROM ticket WHERE kind >= :kind")


@pytest.fixture(autouse=True)
def explaining(own: Recorder) -> None:
    instrument_of(own, ALL)


@pytest.fixture(params=["sqlite", "pg8000", "asyncpg"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a database with 5,000 tickets."""
    sqlite = f"sqlite:///{tmp_path}/tickets"
    cluster: Cluster | None = None if request.param == "sqlite" else request.getfixturevalue("postgresql")
    engine = sa.create_engine(cluster.url("pg8000") if cluster else sqlite)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE ticket (id INTEGER PRIMARY KEY, mail VARCHAR, kind INTEGER)")
        numbers = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999) "
        target = "INSERT INTO ticket "
        select = "SELECT i, 'secret' || i, mod(i, 2) FROM n"
        connection.exec_driver_sql(numbers + target + select if not cluster else target + numbers + select)
        connection.exec_driver_sql("ANALYZE")
    yield cluster.url(request.param) if cluster else sqlite
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE ticket")
    engine.dispose()


def ask(own: Recorder, url: str, *statements: tuple[sa.TextClause, Mapping[str, object]]) -> None:
    """In one request, and until all of them are explained."""
    if "asyncpg" in url:
        asyncio.run(ask_async(own, url, *statements))
        return
    engine = stethoscope.watch(sa.create_engine(url))

    def work() -> None:
        with engine.connect() as connection:
            for statement, parameters in statements:
                connection.execute(statement, parameters).all()

    request(in_thread(work), own)
    wait_for(engine)
    engine.dispose()


async def ask_async(own: Recorder, url: str, *statements: tuple[sa.TextClause, Mapping[str, object]]) -> None:
    engine = stethoscope.watch(create_async_engine(url))

    async def work() -> None:
        async with engine.connect() as connection:
            for statement, parameters in statements:
                await connection.execute(statement, parameters)

    await respond(work, own)
    await asyncio.to_thread(wait_for, engine.sync_engine)
    await engine.dispose()


def wait_for(engine: sa.Engine) -> None:
    explainer: Any = engines._watched[engine.dialect].database.explain
    explainer.__self__.wait()


def test_table_that_is_read_to_find_little_is_found_with_the_index_to_make(own: Recorder, url: str) -> None:
    ask(own, url, (WITHOUT_INDEX, {"mail": "secret77"}))
    ((kind, route, _),) = findings(own)
    assert (kind, route) == ("sequential_scan", ROUTE)
    (note,) = own.notes(names.FINDINGS_FOUND)
    facts: Any = note.content["evidence"]
    assert (facts["table"], facts["columns"]) == ("ticket", "mail")
    assert facts["rows"] == pytest.approx(5_000, abs=1)
    assert facts["statement"].startswith("CREATE INDEX ")
    assert facts["statement"].endswith("ON ticket (mail)")
    assert "secret77" not in json.dumps([note.content for kind in names.NOTE_KINDS for note in own.notes(kind)])
    assert numbers(own, names.INTERNAL_ERRORS.name) == {}


def test_what_an_index_serves_and_what_needs_most_of_a_table_is_healthy(own: Recorder, url: str) -> None:
    statements = [(BY_KEY, {"id": 7})] + ([] if "sqlite" in url else [(MOST, {"kind": 0})])
    ask(own, url, *statements)
    assert findings(own) == {}
    assert numbers(own, names.INTERNAL_ERRORS.name) == {}


def test_explaining_uses_no_connection_of_the_apps_pool_and_counts_no_query(own: Recorder, url: str) -> None:
    ask(own, url, (WITHOUT_INDEX, {"mail": "x"}))
    assert sum(numbers(own, names.QUERY_DURATION.name).values()) == 1
    assert sum(numbers(own, names.POOL_WAIT_TIME.name).values()) == 1
    assert sum(numbers(own, names.POOL_CREATE_TIME.name).values()) == 1


def test_database_that_is_gone_by_then_is_a_failure_of_ours_alone(own: Recorder, tmp_path: Path) -> None:
    engine = stethoscope.watch(sa.create_engine(f"sqlite:///{tmp_path}/gone/x"))
    explainer: Any = engines._watched[engine.dialect].database.explain
    query = engines._watched[engine.dialect].database._statements.learn("SELECT 1").query
    explainer(query, "SELECT 1", (), ROUTE, "")
    wait_for(engine)
    assert numbers(own, names.INTERNAL_ERRORS.name) == {("explain",): 1}


def test_engine_that_is_gone_is_kept_by_nobody_and_its_thread_ends(
    own: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain, "_IDLE", 0.0)
    engine = stethoscope.watch(sa.create_engine(f"sqlite:///{tmp_path}/shop"))
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1").all()
    dialect, gone = engine.dialect, weakref.ref(engine.dialect)
    explainer: Any = engines._watched[dialect].database.explain
    query = engines._watched[dialect].database._statements.learn("SELECT 2").query
    explainer.__self__.wait()
    while explainer.__self__._thread is not None:  # it ends by itself, and another one is started
        pass
    engine.dispose()
    del engine, dialect, connection
    gc.collect()
    assert gone() is None
    explainer(query, "SELECT 2", (), ROUTE, "")
    explainer.__self__.wait()
    assert numbers(own, names.INTERNAL_ERRORS.name) == {}


def test_statement_of_the_cure_runs_where_names_have_to_be_quoted_and_it_is_another_schemas_table(
    own: Recorder, postgresql: Cluster
) -> None:
    url = postgresql.url("pg8000")
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            for statement in (
                'CREATE SCHEMA "Tenant"',
                'CREATE TABLE "Tenant"."Order" ("Voucher" text)',
                'INSERT INTO "Tenant"."Order" SELECT \'v\' || i FROM generate_series(1, 5000) i',
                "ANALYZE",
            ):
                connection.exec_driver_sql(statement)
            ask(own, url, (sa.text('SELECT * FROM "Tenant"."Order" WHERE "Voucher" = :voucher'), {"voucher": "v7"}))
            (note,) = own.notes(names.FINDINGS_FOUND)
            facts: Any = note.content["evidence"]
            assert facts["statement"] == 'CREATE INDEX ON "Tenant"."Order" ("Voucher")'
            connection.exec_driver_sql(facts["statement"])
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql('DROP SCHEMA IF EXISTS "Tenant" CASCADE')
        admin.dispose()
