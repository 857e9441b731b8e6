"""Comments that say for whom a statement is."""

from __future__ import annotations

import asyncio
import re

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import stethoscope
from stethoscope.instruments.database.instrument import instrument_of
from stethoscope.settings import Settings
from stethoscope.store.recorder import Recorder
from tests.instruments.sqlalchemy.shop import findings, in_thread, queries, request, respond
from tests.postgresql import Cluster

TEXT = sa.text("SELECT query, :word FROM pg_stat_activity WHERE pid = pg_backend_pid()")
COMMENT = re.compile(r" /\*request_id='(\w+)',route='%2Forders'\*/$")


@pytest.fixture(autouse=True)
def commenting(own: Recorder) -> None:
    instrument_of(own, Settings(instruments=("sql-comments",)))


@pytest.mark.parametrize("driver", ["pg8000", "asyncpg"])
def test_server_sees_request_and_route(postgresql: Cluster, own: Recorder, driver: str) -> None:
    seen: list[str] = []
    url = postgresql.url(driver)
    headers = asyncio.run(_async(url, own, seen)) if driver == "asyncpg" else _sync(url, own, seen)
    assert len(seen) == 6
    for statement in seen:
        comment = COMMENT.search(statement)
        assert comment is not None, statement
        assert comment[1] == headers["x-request-id"]
    # Each text is another, and the query the same.
    assert queries(own) == {("postgresql", "SELECT", "pg_stat_activity", ""): 6}
    assert {kind for kind, _, _ in findings(own)} == {"n_plus_one"}


def _sync(url: str, own: Recorder, seen: list[str]) -> dict[str, str]:
    engine = stethoscope.watch(sa.create_engine(url))

    def work() -> None:
        with engine.connect() as connection:
            seen.extend(connection.execute(TEXT, {"word": f"10%{number}"}).all()[0][0] for number in range(6))

    headers = request(in_thread(work), own)
    engine.dispose()
    return headers


async def _async(url: str, own: Recorder, seen: list[str]) -> dict[str, str]:
    engine = stethoscope.watch(create_async_engine(url))

    async def work() -> None:
        async with engine.connect() as connection:
            words = [{"word": f"10%{number}"} for number in range(6)]
            seen.extend([(await connection.execute(TEXT, word)).all()[0][0] for word in words])

    headers = await respond(work, own)
    await engine.dispose()
    return headers


def test_outside_of_requests_statements_are_as_they_are(own: Recorder, postgresql: Cluster) -> None:
    engine = stethoscope.watch(sa.create_engine(postgresql.url("pg8000")))
    with engine.connect() as connection:
        assert "/*" not in connection.execute(TEXT, {"word": "x"}).all()[0][0]
        assert connection.exec_driver_sql("SELECT '10%'").scalar() == "10%"
    engine.dispose()
