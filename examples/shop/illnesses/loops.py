"""What the event loop does in the meantime: nothing, or the same work several times over."""

from __future__ import annotations

import asyncio
import time

import sqlalchemy as sa
from sqlalchemy.orm import Session

from examples.shop.illnesses.engines import shop, shop_async
from examples.shop.illnesses.models import Customer
from examples.shop.illnesses.wards import cured, ill

_CARRIER_SECONDS = 0.3
_NAMES = sa.select(Customer.name).where(Customer.id <= 10)
_TURNOVER = sa.text("SELECT sum(id) FROM item, (SELECT pg_sleep(0.3)) pause")


@ill.get("/blocking-query")
async def names_on_the_loop() -> list[str]:
    """A synchronous engine in a coroutine: until PostgreSQL answers, no other request of this worker gets on."""
    with Session(shop) as session:
        return [*session.scalars(_NAMES)]


@cured.get("/blocking-query")
def names_in_a_thread() -> list[str]:
    """The same as a plain ``def``, which the framework runs in a thread."""
    with Session(shop) as session:
        return [*session.scalars(_NAMES)]


@cured.get("/blocking-query/async")
async def names_by_an_async_engine() -> list[str]:
    """Or over an async engine, which leaves the loop to others while it waits."""
    async with shop_async.connect() as connection:
        return [*(await connection.execute(_NAMES)).scalars()]


def ask_the_carrier() -> int:
    """Days until a parcel arrives, by a client that waits where it is called."""
    time.sleep(_CARRIER_SECONDS)
    return 3


@ill.get("/blocked-loop")
async def delivery_on_the_loop() -> int:
    """Called in a coroutine: until the carrier answers, no other request of this worker gets on."""
    return ask_the_carrier()


@cured.get("/blocked-loop")
async def delivery_in_a_thread() -> int:
    """The same client, awaited in a thread. One that is async itself needs none."""
    return await asyncio.to_thread(ask_the_carrier)


async def turnover() -> int:
    async with shop_async.connect() as connection:
        return int((await connection.execute(_TURNOVER)).scalar_one())


@ill.get("/concurrent-query")
async def turnover_for_each_who_asks() -> int:
    """Ten who ask at once have the database work it out ten times."""
    return await turnover()


_asked: asyncio.Task[int] | None = None


@cured.get("/concurrent-query")
async def turnover_for_all_who_ask() -> int:
    """Those who come while it is being worked out wait for the same answer."""
    global _asked
    if _asked is None or _asked.done():
        _asked = asyncio.create_task(turnover())
    return await asyncio.shield(_asked)
