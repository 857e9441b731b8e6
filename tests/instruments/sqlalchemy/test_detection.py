"""What is found in a request's queries: each illness, its cure, and what looks like it and is none."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, joinedload, selectinload

import stethoscope
from stethoscope import names
from stethoscope.instruments.database import database, execution, pool
from stethoscope.instruments.database import work as work_module
from stethoscope.instruments.database.starved import starved
from stethoscope.store.recorder import Recorder
from tests.instruments.sqlalchemy.shop import (
    ROUTE,
    Customer,
    Item,
    Order,
    fill,
    findings,
    in_thread,
    request,
    respond,
)

pytestmark = pytest.mark.usefixtures("own")


@pytest.fixture(autouse=True)
def busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that may stop the tests for a while between two queries."""
    for module in (database, pool):
        monkeypatch.setattr(module, "HELD_FROM", 30.0)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """A shop with 20 orders."""
    url = f"sqlite:///{tmp_path}/shop"
    fill(url, 20)
    engine = stethoscope.watch(sa.create_engine(url))
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: sa.Engine) -> Session:
    """Closed by each request that uses it."""
    return Session(engine)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock of queries and connections shows; it stands still unless a test moves it."""
    now = [0.0]
    for module in (execution, pool):
        monkeypatch.setattr(module, "clock", lambda: now[0])
    return now


def evidence(recorder: Recorder) -> Mapping[str, object]:
    (note,) = recorder.notes(names.FINDINGS_FOUND)
    found = note.content["evidence"]
    assert isinstance(found, dict)
    return found


def found(recorder: Recorder, work: Callable[[], object], session: Session | None = None) -> dict[tuple[str, ...], int]:
    """What is found in a request that does ``work`` in a thread."""
    request(in_thread(closing(work, session)), recorder)
    return findings(recorder)


def closing(work: Callable[[], object], session: Session | None) -> Callable[[], object]:
    def work_and_close() -> None:
        work()
        if session is not None:
            session.close()

    return work_and_close


def test_lazy_collection_is_named_with_its_relationship(own: Recorder, session: Session) -> None:
    assert found(own, lambda: [order.items[0] for order in session.scalars(sa.select(Order))], session) == {
        ("n_plus_one", ROUTE, "Order.items"): 1
    }
    facts = evidence(own)
    assert (facts["queries"], facts["loader"], facts["many"], facts["table"]) == (20, "lazy", True, "item")
    assert "test_detection.py:" in str(facts["site"])


def test_lazy_reference_is_named_too(own: Recorder, session: Session) -> None:
    assert found(own, lambda: [order.customer.name for order in session.scalars(sa.select(Order))], session) == {
        ("n_plus_one", ROUTE, "Order.customer"): 1
    }
    assert evidence(own)["many"] is False


def test_async_session_is_no_different(own: Recorder, tmp_path: Path) -> None:
    fill(f"sqlite:///{tmp_path}/shop", 20)

    async def run() -> None:
        engine = stethoscope.watch(create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/shop"))

        async def work() -> None:
            async with AsyncSession(engine) as session:
                for number in range(8):
                    await session.execute(sa.select(Item.label).where(Item.order_id == number))

        await respond(work, own)
        await engine.dispose()

    asyncio.run(run())
    ((kind, _, _),) = findings(own)
    assert kind == "n_plus_one"
    assert str(evidence(own)["site"]).endswith("run.<locals>.work")


@pytest.mark.parametrize("pause", [0.0, 0.1], ids=["in a loop", "for news"])
def test_one_query_after_another_is_a_loop_and_one_after_a_pause_waits_for_news(
    own: Recorder, session: Session, now: list[float], pause: float
) -> None:
    def work() -> None:
        for last in range(8):
            session.execute(sa.select(Item.label).where(Item.id > last)).all()
            now[0] += pause

    assert [kind for kind, _, _ in found(own, work, session)] == ([] if pause else ["n_plus_one"])


def test_loop_of_the_apps_own_is_named_by_its_statement(own: Recorder, session: Session) -> None:
    def work() -> None:
        for number in range(1, 11):
            session.execute(sa.select(Item.label).where(Item.order_id == number)).all()

    ((kind, _, subject),) = found(own, work, session)
    assert kind == "n_plus_one"
    assert subject == evidence(own)["fingerprint"]
    assert "loader" not in evidence(own)


def test_objects_that_a_commit_has_expired_are_loaded_one_by_one(own: Recorder, session: Session) -> None:
    def work() -> None:
        loaded = session.scalars(sa.select(Order)).all()
        session.commit()
        for order in loaded:
            assert order.customer_id

    assert found(own, work, session) == {("n_plus_one", ROUTE, "Order"): 1}
    assert evidence(own)["loader"] == "refresh"


@pytest.mark.parametrize("option", [selectinload, joinedload])
def test_eager_loads_are_the_cure(
    own: Recorder, session: Session, option: Callable[..., sa.sql.base.ExecutableOption]
) -> None:
    def work() -> None:
        for order in session.scalars(sa.select(Order).options(option(Order.items), option(Order.customer))).unique():
            assert order.items
            assert order.customer.name

    assert found(own, work, session) == {}


def test_distinct_work_pages_batches_and_inserts_are_healthy(own: Recorder, session: Session) -> None:
    def work() -> None:
        for column in (Order.id, Order.customer_id, Item.id, Item.label, Customer.id, Customer.name):
            session.execute(sa.select(column).limit(1)).all()
        for page in range(6):
            session.scalars(sa.select(Order.id).order_by(Order.id).limit(3).offset(3 * page)).all()
        for start in range(1, 20, 3):
            numbers = range(start, start + 3)
            session.scalars(sa.select(Item).where(Item.order_id.in_(numbers))).all()
        for number in range(100, 120):
            session.execute(sa.insert(Customer).values(id=number, name="x"))
        session.rollback()

    assert found(own, work, session) == {}


def test_keyset_pages_are_healthy(own: Recorder, session: Session) -> None:
    def work() -> None:
        last = 0
        while rows := session.scalars(sa.select(Order.id).where(Order.id > last).order_by(Order.id).limit(3)).all():
            last = rows[-1]

    assert found(own, work, session) == {}


def test_a_few_are_not_many(own: Recorder, session: Session) -> None:
    assert found(own, lambda: [order.items for order in session.scalars(sa.select(Order).limit(4))], session) == {}


def test_same_query_with_the_same_parameters_is_a_repetition(own: Recorder, session: Session) -> None:
    def work() -> None:
        for _ in range(4):
            session.execute(sa.select(Customer.name).where(Customer.id == 3)).one()

    ((kind, route, _),) = found(own, work, session)
    assert (kind, route) == ("repeated_query", ROUTE)
    assert evidence(own)["identical"] == 4


def test_what_was_changed_in_between_is_read_again_for_a_reason(own: Recorder, session: Session) -> None:
    def work() -> None:
        for _ in range(4):
            session.execute(sa.select(Customer.name).where(Customer.id == 3)).one()
            session.execute(sa.update(Customer).values(name="y"))
        session.rollback()

    assert found(own, work, session) == {}


def test_polling_is_no_repetition(own: Recorder, session: Session, now: list[float]) -> None:
    def work() -> None:
        for _ in range(4):
            session.execute(sa.select(Customer.name).where(Customer.id == 3)).one()
            now[0] += 0.06

    assert found(own, work, session) == {}


def test_far_offset_is_found_with_the_rows_it_passes_over(own: Recorder, session: Session) -> None:
    page = sa.select(Order.id).order_by(Order.id).limit(20)
    ((kind, _, _),) = found(own, lambda: session.scalars(page.offset(9_980)).all(), session)
    assert kind == "far_offset"
    assert evidence(own)["offset"] == 9_980


def test_near_offset_is_healthy(own: Recorder, session: Session) -> None:
    page = sa.select(Order.id).order_by(Order.id).limit(20)
    assert found(own, lambda: session.scalars(page.offset(980)).all(), session) == {}


def test_query_on_the_event_loops_thread_blocks_it(own: Recorder, session: Session) -> None:
    async def work() -> None:
        session.execute(sa.select(Order.id)).all()
        session.close()

    request(work, own)
    ((kind, _, line),) = findings(own)
    assert kind == "blocking_query"
    assert "test_detection.py:" in line
    assert line.endswith("test_query_on_the_event_loops_thread_blocks_it.<locals>.work")


def test_connection_held_while_something_else_is_waited_for(own: Recorder, engine: sa.Engine, now: list[float]) -> None:
    def work() -> None:
        with engine.connect() as connection:
            write(connection)
            now[0] += 50  # a call to somebody else
            write(connection)

    assert found(own, work) == {("held_transaction", ROUTE, f"{engine.url.database}"): 1}
    assert evidence(own)["worst_seconds"] == 50


def write(connection: sa.Connection) -> None:
    """Of which no rows are left to be fetched."""
    connection.execute(sa.update(Order).values(customer_id=1))


def test_connection_held_until_it_is_committed(own: Recorder, engine: sa.Engine, now: list[float]) -> None:
    def work() -> None:
        with engine.begin() as connection:
            now[0] += 1
            write(connection)
            now[0] += 40

    assert found(own, work) == {("held_transaction", ROUTE, f"{engine.url.database}"): 1}
    assert evidence(own)["worst_seconds"] == 40
    assert "test_detection.py:" in str(evidence(own)["site"])


def test_commit_and_rollback_that_take_long_are_no_holding(
    own: Recorder, engine: sa.Engine, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("do_commit", "do_rollback"):
        plain = getattr(engine.dialect, name)

        def settle(connection: object, plain: Callable[[object], None] = plain) -> None:
            plain(connection)
            now[0] += 50

        monkeypatch.setattr(engine.dialect, name, settle)

    def work() -> None:
        with engine.connect() as connection:
            for end in (connection.commit, connection.rollback):
                now[0] += 1
                write(connection)
                now[0] += 1
                end()
            write(connection)

    assert found(own, work) == {}


def fetch(connection: sa.Connection) -> None:
    """Where SQLite makes rows only now."""
    connection.execute(sa.select(Order.id)).all()


def stream(connection: sa.Connection) -> None:
    connection.execute(sa.text("VALUES (1), (2)"), execution_options={"stream_results": True})


def use_the_driver(connection: sa.Connection) -> None:
    write(connection)
    assert connection.connection.driver_connection is not None


@pytest.mark.parametrize("use", [fetch, stream, use_the_driver])
def test_connection_of_which_not_all_is_seen_is_not_known_to_be_idle(
    own: Recorder,
    engine: sa.Engine,
    now: list[float],
    monkeypatch: pytest.MonkeyPatch,
    use: Callable[[sa.Connection], None],
) -> None:
    # What other databases have: the driver of this one has no cursors on a server's side.
    dialect, context = engine.dialect, engine.dialect.execution_ctx_cls
    own_cursor = {"create_server_side_cursor": context.create_default_cursor}  # type: ignore[attr-defined]
    monkeypatch.setattr(dialect, "supports_server_side_cursors", True)
    monkeypatch.setattr(dialect, "execution_ctx_cls", type("Context", (context,), own_cursor))

    def work(ask: Callable[[sa.Connection], None]) -> Callable[[], None]:
        def keep() -> None:
            with engine.connect() as connection:
                for _ in range(2):
                    now[0] += 1
                    ask(connection)
                    now[0] += 50

        return keep

    assert found(own, work(use)) == {}
    assert found(own, work(write)) == {("held_transaction", ROUTE, f"{engine.url.database}"): 1}


@pytest.mark.parametrize("queries", [1, 2], ids=["until it is given back", "until the next query"])
def test_connection_kept_while_its_thread_has_no_processor_is_healthy(
    own: Recorder, engine: sa.Engine, now: list[float], monkeypatch: pytest.MonkeyPatch, queries: int
) -> None:
    starved = [49.5]  # so long since its start: nobody knows when
    for module in (pool, work_module):
        monkeypatch.setattr(module, "starved", lambda: starved[0])

    def work(without: float) -> Callable[[], None]:
        def keep() -> None:
            with engine.connect() as connection:
                now[0] += 1  # not the moment in which it was taken
                write(connection)
                now[0] += 50
                starved[0] += without
                for _ in range(1, queries):
                    write(connection)

        return keep

    assert found(own, work(0.0)) == {}
    assert found(own, work(49.5)) == {}
    assert found(own, work(1.0)) == {("held_transaction", ROUTE, f"{engine.url.database}"): 1}
    assert evidence(own)["worst_seconds"] == 50


def test_a_thread_that_has_no_processor_is_starved() -> None:
    """Two threads on one processor, one of them in the kernel, where it needs no interpreter."""
    waited: set[int] = set()
    processor = min(os.sched_getaffinity(0))

    def compete() -> None:
        os.sched_setaffinity(0, {processor})
        begin, until = starved(), time.monotonic() + 60.0
        while len(waited) < 2 and time.monotonic() < until:
            hashlib.pbkdf2_hmac("sha256", b"", b"", 20_000)  # some 10 ms without the interpreter lock
            if starved() >= begin + 0.05:
                waited.add(threading.get_ident())

    threads = [threading.Thread(target=compete) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(waited) == 2


def test_connection_given_back_in_the_meantime_is_healthy(own: Recorder, engine: sa.Engine, now: list[float]) -> None:
    def work() -> None:
        for _ in range(2):
            with engine.connect() as connection:
                connection.execute(sa.select(Order.id)).all()
            now[0] += 50

    assert found(own, work) == {}


def test_connection_that_outlives_its_request_has_leaked(own: Recorder, engine: sa.Engine) -> None:
    kept: list[sa.Connection] = []
    assert found(own, lambda: kept.append(engine.connect())) == {
        ("leaked_connection", ROUTE, f"{engine.url.database}"): 1
    }
    kept[0].close()


def test_background_work_is_looked_at_as_well(own: Recorder, session: Session) -> None:
    async def nothing() -> None:
        pass

    work = closing(lambda: [order.items for order in session.scalars(sa.select(Order))], session)
    request(nothing, own, after=in_thread(work))
    assert findings(own) == {("n_plus_one", ROUTE, "Order.items"): 1}


def test_nothing_of_a_request_is_kept_to_compare_others_with(
    own: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_SHARED_FROM", 0.0)  # every query takes long
    engine = stethoscope.watch(sa.create_engine(f"sqlite:///{tmp_path}/shop"))

    def works() -> int:
        gc.collect()
        return sum(type(one) is work_module.Work for one in gc.get_objects())

    def work() -> None:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1")).all()

    before = works()
    request(in_thread(work), own)
    assert works() == before
    engine.dispose()
