"""Eager loads that nobody looks at, and all that looks like one and is none."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    contains_eager,
    joinedload,
    lazyload,
    mapped_column,
    relationship,
    selectinload,
    subqueryload,
)
from sqlalchemy.orm.attributes import InstrumentedAttribute

import stethoscope
from stethoscope import names
from stethoscope.current import CURRENT
from stethoscope.diagnosis.findings import findings as findings_in
from stethoscope.instruments.database import ahead, database, pool
from stethoscope.store.recorder import Recorder
from tests.instruments.sqlalchemy.shop import ROUTE, Item, Order, fill, findings, in_thread, request, respond

pytestmark = pytest.mark.usefixtures("own")

Option = Callable[..., Any]


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    """Always loads its books, whoever asks."""

    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list[Book]] = relationship(lazy="selectin", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(sa.ForeignKey(Shelf.id))


@pytest.fixture(autouse=True)
def busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that may stop the tests for a while between two queries."""
    for module in (database, pool):
        monkeypatch.setattr(module, "HELD_FROM", 30.0)


@pytest.fixture(autouse=True)
def attributes_are_left_as_they_were() -> Iterator[None]:
    yield
    for model in (Order, Item, Shelf, Book):
        assert {type(one) for one in model.__mapper__.class_manager.values()} == {InstrumentedAttribute}


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A shop with 20 orders, and a shelf."""
    url = f"sqlite:///{tmp_path}/shop"
    fill(url, 20)
    engine = sa.create_engine(url)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Shelf(name="top", books=[Book(), Book()]))
        session.commit()
    engine.dispose()
    return url


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = stethoscope.watch(sa.create_engine(url))
    yield engine
    engine.dispose()


def ask(own: Recorder, engine: sa.Engine, work: Callable[[Session], object], times: int = 3) -> None:
    """As many requests that each do ``work`` with a session of their own."""

    def with_session() -> None:
        with Session(engine) as session:
            work(session)

    for _ in range(times):
        request(in_thread(with_session), own)


def evidence(own: Recorder) -> Mapping[str, Any]:
    (note,) = own.notes(names.FINDINGS_FOUND)
    found = note.content["evidence"]
    assert isinstance(found, dict)
    return found


def numbers_of(session: Session, *options: Any) -> list[int]:
    return [order.id for order in session.scalars(sa.select(Order).options(*options)).unique()]


@pytest.mark.parametrize("option", [selectinload, joinedload, subqueryload])
def test_option_that_was_for_nothing_is_named(own: Recorder, engine: sa.Engine, option: Option) -> None:
    ask(own, engine, lambda session: numbers_of(session, option(Order.items)))
    assert findings(own) == {("unused_eager_load", ROUTE, "Order.items"): 1}
    facts = evidence(own)
    assert (facts["way"], facts["configured"], facts["requests"]) == (option.__name__.removesuffix("load"), False, 3)
    assert "test_eager.py:" in facts["site"]
    (finding,) = findings_in(own.snapshot(), own.notes(names.FINDINGS_FOUND))
    assert finding.cure.startswith(f"Take .options({option.__name__}(Order.items)) out of the query. It is at tests/")


def test_option_of_an_option_is_named_by_its_own_relationship(own: Recorder, engine: sa.Engine) -> None:
    def work(session: Session) -> None:
        for item in session.scalars(sa.select(Item).options(joinedload(Item.order).selectinload(Order.customer))):
            assert item.order.id

    ask(own, engine, work)
    assert findings(own) == {("unused_eager_load", ROUTE, "Order.customer"): 1}


def test_relationship_that_always_loads_is_cured_where_it_is_made(own: Recorder, engine: sa.Engine) -> None:
    ask(own, engine, lambda session: [shelf.name for shelf in session.scalars(sa.select(Shelf))])
    (finding,) = findings_in(own.snapshot(), own.notes(names.FINDINGS_FOUND))
    assert finding.subject == "Shelf.books"
    assert ".options(lazyload(Shelf.books))" in finding.cure
    assert 'or take lazy="selectin" from the relationship. It is at ' in finding.cure


def test_async_sessions_are_no_different(own: Recorder, url: str) -> None:
    async def run() -> None:
        engine = stethoscope.watch(create_async_engine(url.replace("sqlite", "sqlite+aiosqlite", 1)))

        async def work() -> None:
            async with AsyncSession(engine) as session:
                for order in await session.scalars(sa.select(Order).options(selectinload(Order.items))):
                    assert order.id

        for _ in range(3):
            await respond(work, own)
        await engine.dispose()

    asyncio.run(run())
    assert findings(own) == {("unused_eager_load", ROUTE, "Order.items"): 1}


def look_at_items(session: Session) -> None:
    for order in session.scalars(sa.select(Order).options(selectinload(Order.items))):
        assert order.id
        assert order.items


def look_at_the_last(session: Session) -> None:
    orders = session.scalars(sa.select(Order).options(selectinload(Order.items))).all()
    assert [order.id for order in orders]
    assert orders[-1].items


def reach_items_by_the_identity_map(session: Session) -> None:
    orders = session.scalars(sa.select(Order).options(joinedload(Order.items))).unique().all()
    assert [order.id for order in orders]
    item = session.get(Item, 3)
    assert item is not None
    assert item.label


def count_them(session: Session) -> None:
    assert len(session.scalars(sa.select(Order).options(selectinload(Order.items))).all()) == 20


def hand_them_on_whole(session: Session) -> None:
    for order in session.scalars(sa.select(Order).options(selectinload(Order.items))):
        assert vars(order)["items"]
        assert pickle.dumps(order)


def delete_with_cascades(session: Session) -> None:
    shelf = session.scalars(sa.select(Shelf)).one()
    assert shelf.name
    session.delete(shelf)
    session.flush()
    session.rollback()


def filter_by_a_join(session: Session) -> None:
    query = sa.select(Order).join(Order.items).options(contains_eager(Order.items))
    assert [order.id for order in session.scalars(query).unique()]


def do_without(session: Session) -> None:
    assert [shelf.name for shelf in session.scalars(sa.select(Shelf).options(lazyload(Shelf.books)))] == ["top"]
    assert numbers_of(session)


def read_the_same_text_as_the_orm_does(session: Session) -> None:
    """What `selectinload(Shelf.books)` sends for a reference, but asked by the app."""
    assert session.scalars(sa.select(Order).where(Order.id.in_([1, 2]))).all()


@pytest.mark.parametrize(
    "work",
    [
        look_at_items,
        look_at_the_last,
        reach_items_by_the_identity_map,
        count_them,
        hand_them_on_whole,
        delete_with_cascades,
        filter_by_a_join,
        do_without,
        read_the_same_text_as_the_orm_does,
    ],
)
def test_healthy_lookalikes(own: Recorder, engine: sa.Engine, work: Callable[[Session], None]) -> None:
    ask(own, engine, work, times=4)
    assert findings(own) == {}


def test_a_few_requests_may_do_without_by_chance(own: Recorder, engine: sa.Engine) -> None:
    ask(own, engine, lambda session: numbers_of(session, selectinload(Order.items)), times=2)
    ask(own, engine, look_at_items, times=1)
    ask(own, engine, lambda session: numbers_of(session, selectinload(Order.items)), times=5)
    assert findings(own) == {}


def test_thread_that_does_not_know_its_request_counts_for_all(own: Recorder, engine: sa.Engine) -> None:
    def work(session: Session) -> None:
        orders = session.scalars(sa.select(Order).options(selectinload(Order.items))).all()
        assert [order.id for order in orders]
        token = CURRENT.set(None)
        assert orders[0].items
        CURRENT.reset(token)

    ask(own, engine, work)
    assert findings(own) == {}


def test_after_the_first_requests_one_a_second_is_watched(
    own: Recorder, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(ahead, "monotonic", lambda: now[0])
    noting: list[bool] = []

    def work(session: Session) -> None:
        numbers_of(session, selectinload(Order.items))
        noting.append(type(Order.__dict__["items"]) is not InstrumentedAttribute)

    ask(own, engine, work, times=12)
    now[0] = 1.0
    ask(own, engine, work, times=2)
    assert noting == [True] * 10 + [False] * 2 + [True] + [False]


def test_a_watched_class_makes_the_same_queries(own: Recorder, engine: sa.Engine) -> None:
    def queries() -> list[sa.Select[Any]]:
        return [
            sa.select(Order).where(Order.id > 1).options(selectinload(Order.items)),
            sa.select(Order.id).join(Order.items),
            sa.select(aliased(Order).id),
            sa.select(Order).where(Order.items.any(Item.id == 1)),
        ]

    keys: list[list[object]] = []
    watched: list[type] = []

    def work(session: Session) -> None:
        numbers_of(session, selectinload(Order.items))
        watched.append(type(Order.items))
        keys.append([query._generate_cache_key() for query in queries()])

    keys.append([query._generate_cache_key() for query in queries()])
    ask(own, engine, work, times=1)
    assert watched != [InstrumentedAttribute]
    assert all(key is not None for key in keys[0])
    assert keys[0] == keys[1]
