"""Buying: writes, a background task, a payment that fails at times, and streamed answers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import sqlalchemy as sa
from fastapi import APIRouter, BackgroundTasks, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

import stethoscope
from examples.shop import database
from examples.shop.database import Product, Purchase

router = APIRouter(prefix="/orders", tags=["orders"])

SOLD = stethoscope.Counter("shop_sold", "Items sold, by product.", ["product"])


class PaymentProviderDown(Exception):
    """What the provider's client raises; nobody here expects it, so that it ends as a 500."""


class Order(BaseModel):
    product_id: int = Field(ge=1, le=len(database.PRODUCTS))
    quantity: int = Field(ge=1, le=10)


@router.post("/", status_code=201)
def order(wanted: Order, after: BackgroundTasks) -> dict[str, int]:
    with database.session() as session:
        purchase = Purchase(product_id=wanted.product_id, quantity=wanted.quantity)
        session.add(purchase)
        session.commit()
        number = purchase.id
    SOLD.labels(product=str(wanted.product_id)).inc(wanted.quantity)
    after.add_task(send_receipt)
    return {"order": number}


async def send_receipt() -> None:
    """Takes 300 ms, of which the customer notices nothing: it runs after the response."""
    await asyncio.sleep(0.3)


@router.post("/{order_id}/payment")
async def pay(order_id: int) -> dict[str, int]:
    """A provider that is busy one time in ten and down one time in ten."""
    await asyncio.sleep(random.uniform(0.02, 0.06))
    luck = random.random()
    if luck < 0.1:
        raise PaymentProviderDown("no answer")
    if luck < 0.2:
        raise HTTPException(503, "The payment provider is busy")
    return {"paid": order_id}


@router.get("/export")
async def export() -> StreamingResponse:
    """The latest orders as CSV, streamed: its length is not known when it starts."""
    return StreamingResponse(csv_lines(), media_type="text/csv")


async def csv_lines() -> AsyncIterator[str]:
    yield "id,product,quantity\n"
    for row in await asyncio.to_thread(latest):
        yield ",".join(map(str, row)) + "\n"
        await asyncio.sleep(0.002)


def latest() -> list[tuple[int, str, int]]:
    """Looks up each order's product by itself, as is easily written: the live page finds it, and names the cure."""
    with database.session() as session:
        purchases = session.scalars(sa.select(Purchase).order_by(Purchase.id.desc()).limit(20))
        return [(purchase.id, purchase.product.name, purchase.quantity) for purchase in purchases]


def turnover() -> int:
    """Slow on purpose: cents of all orders."""
    with database.session() as session:
        cents, _ = session.execute(
            sa.select(sa.func.sum(Purchase.quantity * Product.cents), sa.func.wait(0.15)).join(Purchase.product)
        ).one()
    return int(cents or 0)


@router.get("/events")
async def events() -> StreamingResponse:
    """Server-sent events without an end: it is the customer who leaves."""
    return StreamingResponse(ticks(), media_type="text/event-stream")


async def ticks() -> AsyncIterator[str]:
    while True:
        yield "data: tick\n\n"
        await asyncio.sleep(0.05)
