"""An app that is watched by the page's tests: fast, slow, failing on demand, and hostile."""

from __future__ import annotations

import asyncio
import linecache
import os
import signal
import time
from typing import Any

from sqlalchemy import ForeignKey, create_engine, event, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import QueuePool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import stethoscope

HOSTILE = '"><img src=x onerror=hacked()>'
"""What would run a script wherever it got into a document as markup."""
HOSTILE_FILE = f"/{HOSTILE}.py"
HOSTILE_LINE = f"    connection.execute(text(statement), {{'value': {HOSTILE!r}}})  # {HOSTILE}"
QUOTED = f'"{HOSTILE.replace(chr(34), chr(34) * 2)}"'
"""The same as a name in SQL."""


class Hostile(Exception):
    """Its name and its text are markup, as far as Python lets them be."""


Hostile.__qualname__ = HOSTILE


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    items: Mapped[list[Item]] = relationship()


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id))


engine = create_engine(
    "sqlite:///file:page?mode=memory&cache=shared&uri=true",
    poolclass=QueuePool,
    connect_args={"check_same_thread": False},
)


@event.listens_for(engine, "connect")
def add_pause(connection: Any, record: object) -> None:
    connection.create_function("pause", 1, time.sleep)


Base.metadata.create_all(engine)
with Session(engine) as filling:
    filling.add_all([Order(items=[Item(), Item()]) for _ in range(8)])
    filling.execute(text(f"CREATE TABLE {QUOTED} (id INTEGER PRIMARY KEY, {QUOTED} TEXT UNIQUE)"))
    filling.commit()

code = ["def ask(connection, statement):", HOSTILE_LINE]
linecache.cache[HOSTILE_FILE] = (0, None, code, HOSTILE_FILE)
foreign: dict[str, Any] = {"text": text}
exec(compile("\n".join(code), HOSTILE_FILE, "exec"), foreign)


async def fast(request: Request) -> Response:
    return PlainTextResponse("fast")


async def slow(request: Request) -> Response:
    await asyncio.sleep(float(request.query_params.get("seconds", "0.1")))
    return PlainTextResponse("slow")


async def fail(request: Request) -> Response:
    raise Hostile(HOSTILE)


def items(request: Request) -> Response:
    """One query for the orders, and one more for the items of each."""
    with Session(engine) as session:
        orders = session.scalars(select(Order)).all()
        return PlainTextResponse(str(sum(len(order.items) for order in orders)))


def report(request: Request) -> Response:
    """A query that takes a fifth of a second."""
    with engine.connect() as connection:
        connection.execute(text("SELECT pause(0.2), 'it''s secret'"))
    return PlainTextResponse("reported")


def hostile_query(request: Request) -> Response:
    """Slow, and then failing, with markup as names, in the parameters, and where it is called."""
    insert = f"INSERT INTO {QUOTED} ({QUOTED}) VALUES (:value)"
    with engine.connect() as connection:
        for statement in (insert, f"SELECT pause(0.2), id AS {QUOTED} FROM {QUOTED} WHERE {QUOTED} = :value", insert):
            foreign["ask"](connection, statement)
    return Response()


async def block(request: Request) -> Response:
    time.sleep(0.3)  # noqa: ASYNC251 - what is to be found
    return PlainTextResponse("blocked")


async def die(request: Request) -> Response:
    os.kill(os.getpid(), signal.SIGKILL)
    return Response()


app = stethoscope.install(
    Starlette(
        routes=[
            Route("/fast", fast),
            Route("/slow", slow),
            Route("/fail", fail),
            Route("/broken/app", fail),
            Route("/broken/sidecar", fail),
            Route("/items", items),
            Route("/hostile-query", hostile_query),
            Route("/report", report),
            Route("/block", block),
            Route("/die", die),
            Route(f"/hostile/{HOSTILE}/{{name}}", fast),
        ]
    ),
    service=f"watched {HOSTILE}",
)
