"""The shop's tables, with enough in them for it to matter how they are read."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

ORDERS: Final = 50_000
WITH_ITEMS: Final = 200


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Order(Base):
    """``voucher`` and ``invoice`` are both unique; only one of them has an index."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(sa.ForeignKey(Customer.id))
    voucher: Mapped[str]
    invoice: Mapped[str] = mapped_column(index=True)
    customer: Mapped[Customer] = relationship()
    items: Mapped[list[Item]] = relationship()


class Item(Base):
    __tablename__ = "item"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(sa.ForeignKey(Order.id), index=True)
    name: Mapped[str]


_ROWS: Final = (
    "INSERT INTO customer SELECT n, 'customer ' || n FROM generate_series(1, 100) n",
    f"INSERT INTO orders SELECT n, 1 + n % 100, 'v' || n, 'i' || n FROM generate_series(1, {ORDERS}) n",
    f"INSERT INTO item SELECT n, 1 + n % {WITH_ITEMS}, 'lamp' FROM generate_series(1, {3 * WITH_ITEMS}) n",
)


def prepare(engine: sa.Engine) -> None:
    """Make the tables anew, one worker after the other, and let PostgreSQL learn what is in them."""
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(1)"))
        Base.metadata.drop_all(connection)
        Base.metadata.create_all(connection)
        for statement in _ROWS:
            connection.execute(sa.text(statement))
        connection.execute(sa.text("ANALYZE"))
