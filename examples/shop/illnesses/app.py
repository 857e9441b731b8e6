"""The app of the illnesses: how to run it stands in `examples.shop.illnesses`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

import stethoscope
from examples.shop.illnesses import connections, engines, loops, models, pages, questions
from examples.shop.illnesses.wards import cured, ill

MODULES = (questions, pages, connections, loops)
"""Where the routes come from."""


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    await run_in_threadpool(models.prepare, engines.shop)
    yield
    for session in connections.baskets.values():
        session.close()
    for engine in (engines.shop_async, engines.unpinged, engines.pinged):
        await engine.dispose()


app = FastAPI(title="illnesses", lifespan=lifespan)
app.include_router(ill)
app.include_router(cured)
# An index that is missing shows in plans only, and is worth asking for from a tenth of "slow" on: here 1 ms.
app = stethoscope.install(app, service="illnesses", instruments=("default", "explain"), thresholds={"slow_query": 0.01})
