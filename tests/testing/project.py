"""Tests of a small app, to be run by pytest with the plugin: each says how it has to end in its name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

import stethoscope


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    items: Mapped[list[Item]] = relationship()


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(sa.ForeignKey(Order.id))


engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
Base.metadata.create_all(engine)
with Session(engine) as filling:
    filling.add_all(Order(id=number, items=[Item()]) for number in range(1, 8))
    filling.commit()
opened = engine.connect()  # before any test runs


def one_by_one(session: Session) -> int:
    count = 0
    for order in session.scalars(sa.select(Order)):
        count += len(order.items)
    return count


def at_once(session: Session) -> int:
    return sum(len(order.items) for order in session.scalars(sa.select(Order).options(selectinload(Order.items))))


def three(connection: sa.Connection) -> None:
    for number in range(3):
        connection.execute(sa.text("SELECT :n"), {"n": number})


def one(request: Request) -> Response:
    with Session(engine) as session:
        return JSONResponse(session.get_one(Order, request.path_params["id"]).id)


def page(request: Request) -> Response:
    with Session(engine) as session:
        return JSONResponse(one_by_one(session))


bare = Starlette(routes=[Route("/orders/{id:int}", one), Route("/orders", page)])
watched = stethoscope.Stethoscope(bare, service="tested")
two = pytest.mark.stethoscope(max_queries=2)


@two
def test_connection_that_was_open_before_fails() -> None:
    three(opened)


@two
def test_core_with_an_engine_from_before_fails() -> None:
    with engine.connect() as connection:
        connection.execute(sa.insert(Order).values(id=100))
        connection.execute(sa.select(Order.id))
        connection.execute(sa.delete(Order).where(Order.id == 100))


@pytest.mark.stethoscope(max_queries=3, no_n_plus_one=True)
def test_orm_fails() -> None:
    with Session(engine) as session:
        one_by_one(session)


@two
def test_engine_of_its_own_fails() -> None:
    with sa.create_engine("sqlite://").connect() as connection:
        three(connection)


async def ask_async() -> None:
    engine = create_async_engine("sqlite+aiosqlite://")
    async with AsyncSession(engine) as session:
        for number in range(3):
            await session.execute(sa.text("SELECT :n"), {"n": number})
    await engine.dispose()


@two
def test_async_engine_fails() -> None:
    asyncio.run(ask_async())


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@two
@pytest.mark.anyio
async def test_that_is_async_fails() -> None:
    await ask_async()


@two
@pytest.mark.anyio
async def test_threads_of_an_async_test_fail() -> None:
    await asyncio.to_thread(three, opened)


@two
def test_statements_that_fail_count_and_so_it_fails() -> None:
    for _ in range(3):
        with pytest.raises(sa.exc.OperationalError):
            opened.execute(sa.text("SELECT nonsense"))


@two
def test_two_queries_pass() -> None:
    with Session(engine) as session:
        at_once(session)


def test_without_a_mark_passes() -> None:
    three(opened)


@pytest.fixture
def filled() -> Iterator[None]:
    three(opened)
    yield
    three(opened)


@two
def test_with_queries_in_its_fixtures_passes(filled: None) -> None:
    pass


@pytest.mark.stethoscope(no_n_plus_one=True)
def test_that_is_cured_passes() -> None:
    with Session(engine) as session:
        at_once(session)


@pytest.mark.stethoscope(no_n_plus_one=True)
def test_that_inserts_and_pages_in_a_loop_passes() -> None:
    with Session(engine) as session:
        for number in range(200, 210):
            session.execute(sa.insert(Order).values(id=number))
        for number in range(8):
            session.scalars(sa.select(Order.id).order_by(Order.id).limit(2).offset(2 * number)).all()
        session.rollback()


@pytest.mark.stethoscope(no_n_plus_one=True)
def test_of_a_few_passes() -> None:
    with Session(engine) as session:
        for number in range(4):
            session.execute(sa.select(Item.id).where(Item.order_id == number))


@pytest.mark.stethoscope(no_n_plus_one=True)
class TestOfAClass:
    @pytest.mark.stethoscope(no_n_plus_one=False)
    def test_whose_own_mark_allows_it_passes(self) -> None:
        with Session(engine) as session:
            one_by_one(session)

    def test_without_one_fails(self) -> None:
        with Session(engine) as session:
            one_by_one(session)


@pytest.mark.stethoscope(no_n_plus_one=True)
def test_many_requests_are_no_n_plus_one_so_it_passes() -> None:
    client = TestClient(watched)
    assert [client.get(f"/orders/{number}").json() for number in range(1, 7)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.stethoscope(max_queries=5)
def test_all_requests_count_so_it_fails() -> None:
    client = TestClient(watched)
    for number in range(1, 7):
        client.get(f"/orders/{number}")


@pytest.mark.stethoscope(no_n_plus_one=True)
def test_request_with_one_fails() -> None:
    assert TestClient(watched).get("/orders").json() == 7


@pytest.mark.stethoscope(max_queries=7)
def test_app_that_nobody_watches_fails() -> None:
    assert TestClient(bare).get("/orders").json() == 7


@pytest.mark.stethoscope(max_queries=0)
def test_for_a_reason_of_its_own_fails() -> None:
    three(opened)
    raise AssertionError("its own reason")


@pytest.mark.xfail(strict=True)
@two
def test_that_is_expected_to_is_skipped() -> None:  # as an expected failure is reported
    three(opened)


@pytest.mark.stethoscope(max_querys=3)
def test_with_a_bad_mark_fails() -> None:
    raise NotImplementedError("it does not run")
