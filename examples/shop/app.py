"""A small shop: what Stethoscope looks like in an app of many shapes.

    uvicorn examples.shop.app:app --workers 2

A FastAPI app with included routers and a mounted sub-app, on SQLAlchemy and SQLite. Only the last line is about
observing it: the database's engine is found.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import stethoscope
from examples.shop import catalogue, database, orders


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    await asyncio.to_thread(database.prepare)
    yield


office = FastAPI(title="office")


@office.get("/reports/{month}")
async def report(month: str) -> dict[str, object]:
    """The slowest thing in the shop: of its 400 ms, 150 are a query's."""
    await asyncio.sleep(0.25)
    return {"month": month, "cents": await asyncio.to_thread(orders.turnover)}


shop = FastAPI(title="shop", lifespan=lifespan)
shop.include_router(catalogue.router)
shop.include_router(orders.router)
shop.mount("/office", office)


@shop.get("/")
async def welcome() -> dict[str, str]:
    return {"shop": "open", "documentation": "/docs"}


app = stethoscope.install(shop, service="shop")
