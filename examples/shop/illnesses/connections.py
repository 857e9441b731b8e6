"""How many connections there are, how long they are kept, and whether they are alive."""

from __future__ import annotations

import asyncio
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from examples.shop.illnesses.engines import pinged, shop, shop_async, sized, small, unpinged
from examples.shop.illnesses.models import Customer, Order
from examples.shop.illnesses.wards import cured, ill

_REPORT = sa.text("SELECT count(*) FROM customer, (SELECT pg_sleep(0.1)) pause WHERE id = :customer")
_COUNT = sa.select(sa.func.count()).select_from(Customer)
_PAYMENT_SECONDS: Final = 0.3


def report_over(engine: sa.Engine, customer: int) -> int:
    with engine.connect() as connection:
        return int(connection.execute(_REPORT, {"customer": customer}).scalar_one())


@ill.get("/pool-exhausted")
def report_over_one_connection(customer: int) -> int:
    """Threads enough for forty requests, and a connection for one of them."""
    return report_over(small, customer)


@cured.get("/pool-exhausted")
def report_over_one_of_many(customer: int) -> int:
    return report_over(sized, customer)


baskets: Final[dict[str, Session]] = {}


@ill.get("/leaked-connection")
def basket_that_keeps_its_session(customer: str) -> int:
    """A session for each customer, between requests: each holds a connection, and a transaction, until the process ends."""
    session = baskets.setdefault(customer, Session(shop))
    return session.scalars(_COUNT).one()


@cured.get("/leaked-connection")
def basket_that_gives_it_back(customer: str) -> int:
    with Session(shop) as session:
        return session.scalars(_COUNT).one()


@ill.get("/stale-connection")
async def count_over_what_the_pool_has() -> int:
    """When a proxy, a failover or a restart of the server has closed it, this request fails."""
    async with unpinged.connect() as connection:
        return (await connection.execute(_COUNT)).scalar_one()


@cured.get("/stale-connection")
async def count_over_what_answers() -> int:
    """The pool asks a connection for a sign of life before it is given out."""
    async with pinged.connect() as connection:
        return (await connection.execute(_COUNT)).scalar_one()


async def pay() -> str:
    """Somebody else's API."""
    await asyncio.sleep(_PAYMENT_SECONDS)
    return "receipt"


_LAST = sa.select(Order.id).order_by(Order.id.desc()).limit(1)
_NEW = sa.insert(Order).values(customer_id=1, voucher="v", invoice="new")


@ill.post("/held-transaction")
async def order_that_pays_inside_of_its_transaction() -> str:
    """While the provider thinks, a connection is taken, a transaction is open, and its locks are held."""
    async with shop_async.connect() as connection:
        number = (await connection.execute(_LAST)).scalar_one()
        receipt = await pay()
        await connection.execute(_NEW.values(id=number + 1))
        await connection.rollback()  # an example leaves no orders behind
    return receipt


@cured.post("/held-transaction")
async def order_that_pays_first() -> str:
    receipt = await pay()
    async with shop_async.connect() as connection:
        number = (await connection.execute(_LAST)).scalar_one()
        await connection.execute(_NEW.values(id=number + 1))
        await connection.rollback()
    return receipt
