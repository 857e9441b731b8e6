"""What is asked: too often, twice over, or for nothing."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from examples.shop.illnesses.engines import shop
from examples.shop.illnesses.models import Customer, Order
from examples.shop.illnesses.wards import cured, ill

_LATEST = sa.select(Order).where(Order.id <= 30).order_by(Order.id)


@ill.get("/n-plus-one")
def items_one_by_one() -> dict[int, list[str]]:
    """Each look at ``order.items`` is a query: 31 of them."""
    with Session(shop) as session:
        return {order.id: [item.name for item in order.items] for order in session.scalars(_LATEST)}


@cured.get("/n-plus-one")
def items_at_once() -> dict[int, list[str]]:
    """Two queries, however many orders there are."""
    with Session(shop) as session:
        orders = session.scalars(_LATEST.options(selectinload(Order.items)))
        return {order.id: [item.name for item in order.items] for order in orders}


@ill.get("/unused-eager-load")
def invoices_with_items() -> list[str]:
    """The items come along, and nobody looks at them."""
    with Session(shop) as session:
        return [order.invoice for order in session.scalars(_LATEST.options(selectinload(Order.items)))]


@cured.get("/unused-eager-load")
def invoices() -> list[str]:
    with Session(shop) as session:
        return [order.invoice for order in session.scalars(_LATEST)]


def customers_name(session: Session) -> str:
    return session.execute(sa.select(Customer.name).where(Customer.id == 1)).scalar_one()


@ill.get("/repeated-query")
def letter_that_asks_for_each_mention() -> str:
    """The same query with the same parameters, once for each place that needs the answer."""
    with Session(shop) as session:
        return f"Dear {customers_name(session)}, {customers_name(session)}'s order is ready. Yours, {customers_name(session)}'s shop"


@cured.get("/repeated-query")
def letter_that_asks_once() -> str:
    with Session(shop) as session:
        name = customers_name(session)
    return f"Dear {name}, {name}'s order is ready. Yours, {name}'s shop"
