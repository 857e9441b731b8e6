"""A small shop: what Stethoscope looks like in an app of many shapes.

    uvicorn examples.shop.app:app --workers 2

A FastAPI app with included routers and a mounted sub-app, on SQLite. Only the last line is about
observing it.
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
    database.prepare()
    yield


office = FastAPI(title="office")


@office.get("/reports/{month}")
async def report(month: str) -> dict[str, str]:
    """The slowest thing in the shop."""
    await asyncio.sleep(0.4)
    return {"month": month, "state": "ready"}


shop = FastAPI(title="shop", lifespan=lifespan)
shop.include_router(catalogue.router)
shop.include_router(orders.router)
shop.mount("/office", office)


@shop.get("/")
async def welcome() -> dict[str, str]:
    return {"shop": "open", "documentation": "/docs"}


app = stethoscope.install(shop, service="shop")
