"""Connections that died in the pool or were not given back, and the same query under way twice: on PostgreSQL."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import Session

import stethoscope
from stethoscope import names
from stethoscope.instruments.database import database, pool
from stethoscope.store.recorder import Recorder
from tests.instruments.sqlalchemy.shop import ROUTE, Customer, fill, findings, in_thread, request, respond
from tests.postgresql import Cluster

pytestmark = pytest.mark.usefixtures("own")

ASK = sa.text("SELECT 1")
NAME = "watched by tests"


@pytest.fixture(autouse=True)
def busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that may stop the tests for a while between two queries."""
    for module in (database, pool):
        monkeypatch.setattr(module, "HELD_FROM", 30.0)
    monkeypatch.setattr(pool, "_JUST", 30.0)


@pytest.fixture
def admin(postgresql: Cluster) -> Iterator[sa.Connection]:
    """Somebody else's connection, that nobody watches."""
    fill(postgresql.url("pg8000"), 5)
    engine = sa.create_engine(postgresql.url("pg8000"), poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


def watched(postgresql: Cluster, **options: Any) -> sa.Engine:
    return stethoscope.watch(
        sa.create_engine(
            postgresql.url("pg8000"), pool_logging_name=NAME, connect_args={"application_name": NAME}, **options
        )
    )


@asynccontextmanager
async def async_watched(postgresql: Cluster, **options: Any) -> AsyncIterator[AsyncEngine]:
    settings = {"server_settings": {"application_name": NAME}}
    engine = create_async_engine(
        postgresql.url("asyncpg"), pool_logging_name=NAME, connect_args=settings, pool_size=10, **options
    )
    yield stethoscope.watch(engine)
    await engine.dispose()


def disconnect(admin: sa.Connection) -> None:
    """End all connections of the watched engine, and wait until they have ended."""
    ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = :name"
    assert all(admin.execute(sa.text(ended), {"name": NAME}).scalars())


def evidence(recorder: Recorder) -> Mapping[str, Any]:
    (note,) = recorder.notes(names.FINDINGS_FOUND)
    found = note.content["evidence"]
    assert isinstance(found, dict)
    return found


# Connections that had died in the pool


def ask(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        connection.execute(ASK)


def ask_in_vain(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.DBAPIError) as raised:
        ask(engine)
    assert raised.value.connection_invalidated


def test_connection_that_died_in_the_pool_is_found_by_the_query_that_failed(
    own: Recorder, postgresql: Cluster, admin: sa.Connection
) -> None:
    engine = watched(postgresql)
    request(in_thread(lambda: ask(engine)), own)
    disconnect(admin)
    request(in_thread(lambda: ask_in_vain(engine)), own)
    request(in_thread(lambda: ask(engine)), own)
    assert findings(own) == {("stale_connection", ROUTE, NAME): 1}
    assert str(evidence(own)["site"]).endswith(" in ask")
    engine.dispose()


def test_async_connection_that_died_is_found_too(own: Recorder, postgresql: Cluster, admin: sa.Connection) -> None:
    async def run() -> None:
        async with async_watched(postgresql) as engine:

            async def ask() -> None:
                async with engine.connect() as connection:
                    await connection.execute(ASK)

            async def ask_in_vain() -> None:
                with pytest.raises(sa.exc.DBAPIError):
                    await ask()

            await respond(ask, own)
            disconnect(admin)
            await respond(ask_in_vain, own)

    asyncio.run(run())
    assert findings(own) == {("stale_connection", ROUTE, NAME): 1}


def test_outside_of_requests_it_is_found_without_a_route(
    own: Recorder, postgresql: Cluster, admin: sa.Connection
) -> None:
    engine = watched(postgresql)
    ask(engine)
    disconnect(admin)
    ask_in_vain(engine)
    assert findings(own) == {("stale_connection", "", NAME): 1}
    engine.dispose()


def test_ping_before_use_is_the_cure(own: Recorder, postgresql: Cluster, admin: sa.Connection) -> None:
    engine = watched(postgresql, pool_pre_ping=True)
    request(in_thread(lambda: ask(engine)), own)
    disconnect(admin)
    request(in_thread(lambda: ask(engine)), own)
    assert findings(own) == {}
    engine.dispose()


def test_connection_that_dies_in_use_was_not_stale(own: Recorder, postgresql: Cluster, admin: sa.Connection) -> None:
    engine = watched(postgresql)
    ask(engine)

    def work() -> None:
        with engine.connect() as connection:
            connection.execute(ASK)
            disconnect(admin)
            with pytest.raises(sa.exc.DBAPIError):
                connection.execute(ASK)

    request(in_thread(work), own)
    assert findings(own) == {}
    engine.dispose()


def test_query_that_fails_for_another_reason_is_no_sign(own: Recorder, postgresql: Cluster) -> None:
    engine = watched(postgresql)
    ask(engine)

    def work() -> None:
        with pytest.raises(sa.exc.DBAPIError), engine.connect() as connection:
            connection.execute(sa.text("SELECT nonsense"))

    request(in_thread(work), own)
    assert findings(own) == {}
    engine.dispose()


# Connections that were not given back


def test_session_that_is_kept_has_leaked_and_the_next_one_says_where(
    own: Recorder, postgresql: Cluster, admin: sa.Connection
) -> None:
    engine, kept = watched(postgresql), list[Session]()

    def work() -> None:
        kept.append(Session(engine))
        kept[-1].scalars(sa.select(Customer.name)).all()

    for _ in range(2):
        request(in_thread(work), own)
    assert findings(own) == {("leaked_connection", ROUTE, NAME): 2}
    for session in kept:
        session.close()
    engine.dispose()


@pytest.mark.filterwarnings("ignore")  # SQLAlchemy warns of it too
def test_async_connection_that_is_forgotten_has_leaked(own: Recorder, postgresql: Cluster) -> None:
    async def run() -> None:
        async with async_watched(postgresql) as engine:

            async def work() -> None:
                forgotten: list[AsyncConnection] = [await engine.connect()]
                await forgotten.pop().execute(ASK)
                gc.collect()

            await respond(work, own)

    asyncio.run(run())
    assert findings(own) == {("leaked_connection", ROUTE, NAME): 1}


def close_in_the_end(engine: sa.Engine) -> Iterator[None]:
    with engine.connect() as connection:
        connection.execute(ASK)
        yield


def fail_inside(engine: sa.Engine) -> None:
    with suppress(ZeroDivisionError), Session(engine) as session:
        session.execute(ASK)
        raise ZeroDivisionError


def detach(engine: sa.Engine) -> None:
    """To be one's own, and no more the pool's."""
    with engine.connect() as connection:
        connection.execute(ASK)
        connection.detach()


def invalidate(engine: sa.Engine) -> None:
    connection = engine.connect()
    connection.execute(ASK)
    connection.invalidate()
    connection.close()


@pytest.mark.parametrize("work", [fail_inside, detach, invalidate])
def test_ways_out_that_give_it_back(own: Recorder, postgresql: Cluster, work: Callable[[sa.Engine], None]) -> None:
    engine = watched(postgresql)
    request(in_thread(lambda: work(engine)), own)
    assert findings(own) == {}
    engine.dispose()


def test_what_is_given_back_after_the_response_has_not_leaked(own: Recorder, postgresql: Cluster) -> None:
    engine = watched(postgresql)
    using = close_in_the_end(engine)
    request(in_thread(lambda: next(using)), own, after=in_thread(lambda: next(using, None)))
    assert findings(own) == {}
    engine.dispose()


def test_what_the_app_took_before_any_request_is_no_requests_leak(own: Recorder, postgresql: Cluster) -> None:
    engine = watched(postgresql)
    with engine.connect() as connection:
        request(in_thread(lambda: connection.execute(ASK)), own)
        assert findings(own) == {}
    engine.dispose()


def test_request_that_is_cancelled_gives_it_back(own: Recorder, postgresql: Cluster, admin: sa.Connection) -> None:
    async def run() -> None:
        async with async_watched(postgresql) as engine:

            async def work() -> None:
                async with engine.connect() as connection:
                    await connection.execute(LOCK, {"key": 1})

            async with held(admin) as waiting:
                task = asyncio.create_task(respond(work, own))
                await waiting(1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    asyncio.run(run())
    assert findings(own) == {}


# The same query under way twice

LOCK = sa.text("SELECT under_way(:key)")
"""Is so as long as somebody else holds the lock, whatever the machine does. By a function that is not known to change anything."""
_UNDER_WAY = """CREATE OR REPLACE FUNCTION under_way(key integer) RETURNS integer LANGUAGE sql
AS 'SELECT pg_advisory_xact_lock_shared(key); SELECT 1'"""

Waiting = Callable[[int], Awaitable[None]]


@asynccontextmanager
async def held(admin: sa.Connection) -> AsyncIterator[Waiting]:
    """Holds the locks 1 and 2, until as many queries wait for them as said, and longer than what may be a chance."""
    admin.exec_driver_sql(_UNDER_WAY)
    admin.execute(sa.text("SELECT pg_advisory_lock(1), pg_advisory_lock(2)"))
    count = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")

    async def waiting(queries: int) -> None:
        while await asyncio.to_thread(lambda: admin.execute(count).scalar_one()) < queries:
            pass
        await asyncio.to_thread(admin.execute, sa.text("SELECT pg_sleep(0.05)"))

    try:
        yield waiting
    finally:
        admin.execute(sa.text("SELECT pg_advisory_unlock_all()"))


def at_once(
    own: Recorder, postgresql: Cluster, admin: sa.Connection, *questions: tuple[sa.TextClause, int]
) -> dict[tuple[str, ...], int]:
    """What is found in as many requests, each of which asks one of the questions while all others do."""

    async def run() -> None:
        async with async_watched(postgresql) as engine:

            def work(question: sa.TextClause, key: int) -> Callable[[], Awaitable[None]]:
                async def ask() -> None:
                    async with engine.connect() as connection:
                        await connection.execute(question, {"key": key})

                return ask

            async with asyncio.TaskGroup() as tasks:
                async with held(admin) as waiting:
                    for question, key in questions:
                        tasks.create_task(respond(work(question, key), own))
                    await waiting(len(questions))

    asyncio.run(run())
    return findings(own)


def test_same_query_in_requests_at_once_is_found_in_all_but_the_first(
    own: Recorder, postgresql: Cluster, admin: sa.Connection
) -> None:
    ((kind, route, subject), times), *others = at_once(own, postgresql, admin, *[(LOCK, 1)] * 3).items()
    assert (kind, route, times, others) == ("concurrent_query", ROUTE, 2, [])
    assert subject == evidence(own)["fingerprint"]
    assert evidence(own)["worst_seconds"] > 0.05


def test_other_parameters_are_another_question(own: Recorder, postgresql: Cluster, admin: sa.Connection) -> None:
    assert at_once(own, postgresql, admin, (LOCK, 1), (LOCK, 2)) == {}


def test_writes_have_to_be_done_by_each(own: Recorder, postgresql: Cluster, admin: sa.Connection) -> None:
    write = sa.text("INSERT INTO customer SELECT 1000, '' FROM pg_advisory_xact_lock_shared(:key) WHERE random() > 1")
    assert at_once(own, postgresql, admin, (write, 1), (write, 1)) == {}


def test_one_request_after_the_other_shares_nothing(own: Recorder, postgresql: Cluster, admin: sa.Connection) -> None:
    for _ in range(2):
        assert at_once(own, postgresql, admin, (LOCK, 1)) == {}


def test_one_request_that_asks_twice_at_once_is_not_two(
    own: Recorder, postgresql: Cluster, admin: sa.Connection
) -> None:
    async def run() -> None:
        async with async_watched(postgresql) as engine:

            async def ask() -> None:
                async with engine.connect() as connection:
                    await connection.execute(LOCK, {"key": 1})

            async def work() -> None:
                await asyncio.gather(ask(), ask())

            async with asyncio.TaskGroup() as tasks:
                async with held(admin) as waiting:
                    tasks.create_task(respond(work, own))
                    await waiting(2)

    asyncio.run(run())
    assert findings(own) == {}


def test_what_takes_no_time_may_be_asked_twice(
    own: Recorder, postgresql: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_SHARED_FROM", 1e6)

    async def run() -> None:
        async with async_watched(postgresql) as engine:

            async def ask() -> None:
                async with engine.connect() as connection:
                    await connection.execute(ASK)

            await asyncio.gather(*(respond(ask, own) for _ in range(4)))

    asyncio.run(run())
    assert findings(own) == {}
