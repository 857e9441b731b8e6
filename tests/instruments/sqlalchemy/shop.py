"""A few tables, and what the tests read of what was recorded about them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from stethoscope import names
from stethoscope.asgi import Message, Receive, Scope, Send
from stethoscope.current import CURRENT
from stethoscope.instruments.database.instrument import Instrument, instrument_of
from stethoscope.middleware.layer import Layer
from stethoscope.settings import Settings
from stethoscope.store.recorder import Recorder
from tests.instruments.reading import numbers

Work = Callable[[], Awaitable[object]]
ROUTE = "/orders"


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(sa.ForeignKey("customer.id"))
    customer: Mapped[Customer] = relationship()
    items: Mapped[list[Item]] = relationship(back_populates="order")


class Item(Base):
    __tablename__ = "item"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(sa.ForeignKey("orders.id"))
    order: Mapped[Order] = relationship(back_populates="items")
    label: Mapped[str] = mapped_column(default="thing")


def orders(count: int) -> list[Order]:
    return [
        Order(id=number, customer=Customer(id=number, name=f"customer {number}"), items=[Item(), Item()])
        for number in range(1, count + 1)
    ]


def fill(url: str, count: int) -> None:
    """Make the tables anew, with as many orders, through an engine that nobody watches."""
    engine = sa.create_engine(url)
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(orders(count))
        session.commit()
    engine.dispose()


def queries(recorder: Recorder) -> dict[tuple[str, ...], float]:
    """Numbers of operations, by product, operation, table and error."""
    return numbers(recorder, names.QUERY_DURATION.name)


def findings(recorder: Recorder) -> dict[tuple[str, ...], int]:
    """Occurrences by kind, route and subject, however severe."""
    found: Counter[tuple[str, ...]] = Counter()
    for (kind, _, route, subject), value in numbers(recorder, names.FINDINGS.name).items():
        found[kind, route, subject] += int(value)
    return dict(found)


def instrument(recorder: Recorder) -> Instrument:
    return instrument_of(recorder, Settings())


async def respond(
    work: Work, recorder: Recorder, after: Work | None = None, settings: Settings | None = None
) -> dict[str, str]:
    """One request for which the app does ``work``, and ``after`` it has responded. Returns the response's headers."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        current = CURRENT.get()
        assert current is not None
        current.route = ROUTE
        await work()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})
        if after is not None:
            await after()

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    settings = settings or Settings()
    layer = Layer(app, recorder, settings, observers=[instrument_of(recorder, settings)])
    scope = {"type": "http", "method": "GET", "path": ROUTE, "scheme": "http", "headers": []}
    await layer(scope, receive, send)
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


def request(
    work: Work, recorder: Recorder, after: Work | None = None, settings: Settings | None = None
) -> dict[str, str]:
    """The same, from a test that is not async."""
    return asyncio.run(respond(work, recorder, after, settings))


def in_thread(work: Callable[[], object]) -> Work:
    """``work`` as endpoints that are no coroutines do it."""
    return lambda: asyncio.to_thread(work)
