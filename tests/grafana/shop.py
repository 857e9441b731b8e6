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
from pathlib import Path

import stethoscope
from examples.shop.app import shop
from stethoscope.asgi import ASGIApp, Receive, Scope, Send
from stethoscope.store.registry import default_recorder

_PRICES = stethoscope.Histogram("shop_price_cents", "Prices, some of which are no numbers.")
_VISITORS = stethoscope.Counter("shop_visitors", "One series a visitor, which is a mistake.", ["visitor"])


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
            spoil()
            with stethoscope.timer("counting"):
                if random.random() < share:
                    raise InjectedError
        await self.app(scope, receive, send)


def spoil() -> None:
    """What Stethoscope has to cope with, and what would be a failure of its own."""
    default_recorder().failed("fault", InjectedError())
    _PRICES.observe(math.nan)
    for _ in range(10):
        _VISITORS.labels(visitor=str(random.randrange(10**9))).inc()


shop.add_middleware(Faults)
app = shop
