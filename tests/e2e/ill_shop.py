"""The example's app, on a machine that may stop it for a while between two queries."""

from __future__ import annotations

from examples.shop.illnesses import connections
from examples.shop.illnesses.app import app
from stethoscope.instruments.database import database, pool

__all__ = ["app"]

for module in (database, pool):
    vars(module)["HELD_FROM"] = 1.0
vars(connections)["_PAYMENT_SECONDS"] = 1.5
