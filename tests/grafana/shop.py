"""The demo's shop with faults that a test can switch: how many requests fail, and how long all of them wait.

The file that ``SHOP_FAULTS`` names holds both as numbers, such as ``0.3 1.5``. Beside that it observes what
cannot be recorded and makes more series than a metric may have, so that Stethoscope has something to say about
itself.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import time
from pathlib import Path

import anyio.to_thread
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

import stethoscope
from stethoscope.asgi import ASGIApp, Receive, Scope, Send
from stethoscope.instruments.sqlalchemy import vitals
from stethoscope.store.registry import default_recorder

vitals.ASKED_EVERY = 4.0  # type: ignore[misc]  # seconds: the test does not last for two times of what it is
from examples.shop.app import shop  # noqa: E402  # its engine is watched from here on

# At most two connections, so that requests wait for one, and some in vain.
ENGINE = create_engine(os.environ["SHOP_POSTGRESQL"], pool_size=1, max_overflow=1, pool_timeout=0.05)
stethoscope.watch(ENGINE)
stethoscope.watch(create_engine(f"sqlite:///{os.environ['SHOP_DATABASE']}.notes"))
_PRICES = stethoscope.Histogram("shop_price_cents", "Prices, some of which are no numbers.")
_VISITORS = stethoscope.Counter("shop_visitors", "One series a visitor, which is a mistake.", ["visitor"])


_many = 2000
"""Visitors of the next request: the first brings as many as a metric may have series."""


class InjectedError(Exception):
    """What a fault raises."""


class Faults:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.file = Path(os.environ["SHOP_FAULTS"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            share, seconds = map(float, self.file.read_text().split())
            await asyncio.sleep(seconds)
            # So few threads that sync endpoints wait for one.
            anyio.to_thread.current_default_thread_limiter().total_tokens = 1
            spoil()
            await asyncio.to_thread(ask_the_database)
            with stethoscope.timer("counting"):
                if random.random() < share:
                    raise InjectedError
        await self.app(scope, receive, send)


def ask_the_database() -> None:
    """Queries of many kinds: fast, slow, failing, and in vain."""
    try:
        with stethoscope.monitor_query("everything"), ENGINE.connect() as connection:
            connection.execute(text("SELECT relname FROM pg_class")).all()
            connection.execute(text("INSERT INTO visits VALUES (1)"))
            connection.commit()
            if random.random() < 0.1:
                connection.execute(text("SELECT pg_sleep(0.3)")).all()
            if random.random() < 0.05:
                connection.execute(text("SELECT * FROM nothing"))
    except SQLAlchemyError:
        pass


def spoil() -> None:
    """What Stethoscope has to cope with, and what would be a failure of its own."""
    default_recorder().failed("fault", InjectedError())
    if random.random() < 0.02:
        time.sleep(0.15)  # blocks the event loop
    _PRICES.observe(math.nan)
    global _many
    for _ in range(_many):
        _VISITORS.labels(visitor=str(random.randrange(10**9))).inc()
    _many = 10


shop.add_middleware(Faults)
app = shop
