"""What is recorded of an app's queries, whatever the database, the driver and the style of the code."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import stethoscope
from stethoscope import names
from stethoscope.instruments.database import query
from stethoscope.instruments.sqlalchemy import engines
from stethoscope.store.recorder import Recorder
from tests.instruments.reading import numbers, sum_of
from tests.instruments.sqlalchemy.shop import (
    ROUTE,
    Customer,
    Item,
    Order,
    fill,
    in_thread,
    queries,
    request,
    respond,
)
from tests.postgresql import Cluster

pytestmark = pytest.mark.usefixtures("own")

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[bool], str]:
    """Of a database for a sync driver, or for an async one."""
    if request.param == "sqlite":
        return lambda is_async: f"sqlite+{'aiosqlite' if is_async else 'pysqlite'}:///{tmp_path}/shop"
    cluster: Cluster = request.getfixturevalue("postgresql")
    return lambda is_async: cluster.url("asyncpg" if is_async else "pg8000")


@contextmanager
def shop(url: str, count: int = 0) -> Iterator[sa.Engine]:
    """A watched engine, and as many orders as said, of which nothing is recorded."""
    fill(url, count)
    engine = sa.create_engine(url)
    yield stethoscope.watch(engine)
    engine.dispose()


@asynccontextmanager
async def async_shop(url: str, sync_url: str, count: int = 0) -> AsyncIterator[AsyncEngine]:
    fill(sync_url, count)
    engine = create_async_engine(url)
    yield stethoscope.watch(engine)
    await engine.dispose()


def of(recorder: Recorder) -> dict[tuple[str, ...], float]:
    """Operations without the name of the product, without those that went wrong."""
    return {labels[1:3]: value for labels, value in queries(recorder).items() if not labels[3]}


def test_orm_core_and_text_are_seen_as_operations_on_tables(url: Callable[[bool], str], own: Recorder) -> None:
    with shop(url(False), 2) as engine:
        with Session(engine) as session:
            assert len(session.scalars(sa.select(Order)).all()) == 2
            session.add(Customer(id=77, name="new"))
            session.commit()
        with engine.begin() as connection:
            connection.execute(sa.update(Item).values(label="x"))
            connection.execute(sa.text("DELETE FROM item WHERE id = 1"))
            connection.exec_driver_sql("SELECT 1")
    assert of(own) == {
        ("SELECT", "orders"): 1,
        ("INSERT", "customer"): 1,
        ("UPDATE", "item"): 1,
        ("DELETE", "item"): 1,
        ("SELECT", ""): 1,
    }


def test_async_engines_are_seen_the_same(url: Callable[[bool], str], own: Recorder) -> None:
    async def run() -> None:
        async with async_shop(url(True), url(False), 2) as engine:
            async with AsyncSession(engine) as session:
                assert len((await session.scalars(sa.select(Order))).all()) == 2
                session.add(Customer(id=77, name="new"))
                await session.commit()
            async with engine.connect() as connection:
                rows = [row async for row in await connection.stream(sa.select(Item.id))]
                assert len(rows) == 4

    asyncio.run(run())
    assert of(own) == {("SELECT", "orders"): 1, ("INSERT", "customer"): 1, ("SELECT", "item"): 1}


def test_executemany_is_one_operation(url: Callable[[bool], str], own: Recorder) -> None:
    with shop(url(False)) as engine, engine.begin() as connection:
        rows = [{"id": number, "name": "x"} for number in range(10)]
        connection.execute(sa.text("INSERT INTO customer VALUES (:id, :name)"), rows)
    assert of(own) == {("INSERT", "customer"): 1}


def test_streamed_and_nested_work_is_seen_once(url: Callable[[bool], str], own: Recorder) -> None:
    with shop(url(False), 3) as engine, Session(engine) as outer:
        streamed = outer.scalars(sa.select(Order).execution_options(yield_per=1))
        with Session(engine) as inner, inner.begin_nested():
            inner.scalars(sa.select(Customer)).all()
        assert len(list(streamed)) == 3
    assert {key: value for key, value in of(own).items() if key[0] == "SELECT"} == {
        ("SELECT", "orders"): 1,
        ("SELECT", "customer"): 1,
    }


def test_what_fails_is_recorded_with_its_class_and_raised_as_it_was(url: Callable[[bool], str], own: Recorder) -> None:
    with shop(url(False)) as engine, engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as raised:
        connection.execute(sa.text("SELECT missing FROM orders"))
    ((labels, value),) = queries(own).items()
    error = type(raised.value.orig)
    if "postgresql" in url(False):
        assert labels == ("postgresql", "SELECT", "orders", f"{error.__module__}.{error.__qualname__}")
    else:
        assert labels == ("sqlite", "SELECT", "orders", "sqlite3.OperationalError")
    assert value == 1


def test_cancelled_query_is_recorded_as_that(postgresql: Cluster, own: Recorder) -> None:
    async def run() -> None:
        engine = stethoscope.watch(create_async_engine(postgresql.url("asyncpg")))
        async with engine.connect() as connection:
            with pytest.raises(asyncio.TimeoutError):
                async with asyncio.timeout(0.2):
                    await connection.execute(sa.text("SELECT pg_sleep(30)"))
        await engine.dispose()

    asyncio.run(run())
    assert queries(own) == {("postgresql", "SELECT", "", "cancelled"): 1}


@pytest.mark.parametrize("is_async", [False, True], ids=["threads", "async"])
def test_request_tells_its_queries_in_server_timing_and_by_route(
    url: Callable[[bool], str], own: Recorder, is_async: bool
) -> None:
    headers = asyncio.run(_one_request(url, own, is_async))
    timing = re.fullmatch(r'app;dur=[\d.]+, db;dur=([\d.]+);desc="3 queries"', headers["server-timing"])
    assert timing is not None
    seconds = sum_of(own, names.REQUEST_QUERY_TIME.name, (ROUTE,))
    assert float(timing[1]) == pytest.approx(seconds * 1000, abs=0.001)
    assert numbers(own, names.REQUEST_QUERIES.name) == {(ROUTE,): 1}
    assert sum_of(own, names.REQUEST_QUERIES.name, (ROUTE,)) == 3
    assert sum(sum_of(own, names.QUERY_DURATION.name, labels) for labels in queries(own)) == pytest.approx(seconds)


async def _one_request(url: Callable[[bool], str], own: Recorder, is_async: bool) -> dict[str, str]:
    if is_async:
        async with async_shop(url(True), url(False)) as engine:

            async def work() -> None:
                async with AsyncSession(engine) as session:
                    for table in (Order, Customer, Item):
                        await session.scalars(sa.select(table.id))

            return await respond(work, own)
    with shop(url(False)) as sync_engine:

        def plain() -> None:
            with Session(sync_engine) as session:
                for table in (Order, Customer, Item):
                    session.scalars(sa.select(table.id)).all()

        return await respond(in_thread(plain), own)


def test_requests_without_queries_have_no_share_and_are_not_counted(own: Recorder) -> None:
    async def nothing() -> None:
        pass

    assert "db" not in request(nothing, own)["server-timing"]
    assert numbers(own, names.REQUEST_QUERIES.name) == {}


def test_what_is_done_outside_of_requests_is_recorded_too(url: Callable[[bool], str], own: Recorder) -> None:
    with shop(url(False)) as engine, engine.connect() as connection:
        connection.execute(sa.select(Order.id))
    assert of(own) == {("SELECT", "orders"): 1}
    assert numbers(own, names.REQUEST_QUERIES.name) == {}


def test_watching_twice_or_through_the_async_side_counts_once(tmp_path: Path, own: Recorder) -> None:
    async def run() -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/shop")
        for target in (engine, engine.sync_engine, engine, engine.execution_options(isolation_level="AUTOCOMMIT")):
            stethoscope.watch(target)
        async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            await connection.execute(sa.text("SELECT 1"))
        await engine.dispose()

    asyncio.run(run())
    assert queries(own) == {("sqlite", "SELECT", "", ""): 1}


def test_what_is_no_engine_is_refused() -> None:
    with pytest.raises(TypeError, match=r"watch\(\) takes an Engine or AsyncEngine of SQLAlchemy, got 'sqlite://'"):
        stethoscope.watch("sqlite://")


def test_engines_are_freed(own: Recorder) -> None:
    import gc
    import weakref

    def use() -> weakref.ref[sa.Engine]:
        engine = stethoscope.watch(sa.create_engine("sqlite://"))
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
        engine.dispose()
        return weakref.ref(engine)

    before = len(engines._watched)
    seen = [use() for _ in range(20)]
    gc.collect()
    assert [one() for one in seen] == [None] * 20
    assert len(engines._watched) <= before


@pytest.mark.parametrize("broken", ["known", "record"])
def test_failure_of_ours_is_counted_and_the_app_does_not_notice(
    own: Recorder, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    engine = stethoscope.watch(sa.create_engine("sqlite://", poolclass=sa.StaticPool))
    with engine.connect() as connection:
        statements = engines._watched[engine.dialect].database._statements
        if broken == "known":
            monkeypatch.setattr(query, "outline", None)
        else:
            statements.learn("SELECT 1").record = None  # type: ignore[assignment]
        assert connection.execute(sa.text("SELECT 1")).scalar() == 1
    assert numbers(own, names.INTERNAL_ERRORS.name) == {("database",): 1}
