"""The shop's data: one SQLite file that all workers of the server share."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.schema import CreateTable

PRODUCTS = tuple(
    {"id": number, "name": f"{size} {thing}", "cents": 4_90 + 35 * number}
    for number, (size, thing) in enumerate(
        ((size, thing) for thing in ("lamp", "chair", "kettle", "clock", "rug") for size in ("small", "large")), start=1
    )
)


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "product"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    cents: Mapped[int]

    def as_dict(self) -> dict[str, object]:
        return {"id": self.id, "name": self.name, "cents": self.cents}


class Purchase(Base):
    __tablename__ = "purchase"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(sa.ForeignKey(Product.id))
    quantity: Mapped[int]
    product: Mapped[Product] = relationship()


def path() -> Path:
    """Where the file is: ``SHOP_DATABASE``, else in the system's temporary folder."""
    return Path(os.environ.get("SHOP_DATABASE") or Path(tempfile.gettempdir()) / "shop.sqlite3")


engine = sa.create_engine(f"sqlite:///{path()}", connect_args={"timeout": 5})


@sa.event.listens_for(engine, "connect")
def connected(connection: Any, _record: object) -> None:
    connection.create_function("wait", 1, time.sleep)  # a busy disk, for queries that are to be slow


def session() -> Session:
    return Session(engine)


def prepare() -> None:
    """Make the tables and the products; harmless when several workers start at once."""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
        connection.execute(insert(Product).on_conflict_do_nothing(), PRODUCTS)
