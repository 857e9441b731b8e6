"""One contender around one engine, timed in rounds on command; alone in its process, and in an environment of its own."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from benchmarks.processes import Answer, answer_commands

QUERIES = 50
"""Of one request."""
MANY = 1_000
"""Of a request with an N+1 problem."""


class Base(DeclarativeBase):
    pass


class Owner(Base):
    __tablename__ = "owner"

    id: Mapped[int] = mapped_column(primary_key=True)
    items: Mapped[list[Item]] = relationship()


class Item(Base):
    __tablename__ = "item"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("owner.id"))


def make_engine() -> sa.Engine:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Owner(id=number, items=[Item()]) for number in range(MANY))
        session.commit()
    return engine


def make_app(engine: sa.Engine) -> Any:
    """``/many`` loads the items of each owner on its own, everything else sends 50 small queries."""
    query = sa.select(Item.owner_id).where(Item.id == sa.bindparam("number"))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/many":
            with Session(engine) as session:
                for owner in session.scalars(sa.select(Owner)):
                    assert owner.items
        else:
            with engine.connect() as connection:
                for number in range(QUERIES):
                    connection.execute(query, {"number": number}).all()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    return app


def bare(engine: sa.Engine, app: Any) -> Any:
    return app


def stethoscope(engine: sa.Engine, app: Any) -> Any:
    import stethoscope

    return stethoscope.Stethoscope(app, service="benchmark", headers=(), instruments=("sqlalchemy",))


@contextmanager
def undetected() -> Iterator[None]:
    """Only to see what detection costs: queries are counted as ever, and nobody looks where they come from."""
    instrument: Any = import_module("stethoscope.instruments.database.instrument")
    database: Any = import_module("stethoscope.instruments.database.database").Database
    detect, look_at = instrument.detect, database._look_at
    instrument.detect = database._look_at = lambda *_: None
    try:
        yield
    finally:
        instrument.detect, database._look_at = detect, look_at


def opentelemetry(engine: sa.Engine, app: Any, sampled: bool = False) -> Any:
    from opentelemetry.sdk.trace import TracerProvider, sampling

    instrumentor = import_module("opentelemetry.instrumentation.sqlalchemy").SQLAlchemyInstrumentor()
    sampler = sampling.ALWAYS_ON if sampled else sampling.ALWAYS_OFF
    instrumentor.instrument(engine=engine, tracer_provider=TracerProvider(sampler=sampler))
    return app


def opentelemetry_sampled(engine: sa.Engine, app: Any) -> Any:
    return opentelemetry(engine, app, sampled=True)


def asgi_profiler(engine: sa.Engine, app: Any) -> Any:
    """Its listeners alone, told that there is a request as its middleware tells them."""
    instrument = import_module("asgi_profiler.instrument")  # installed in the benchmark's own environment only
    instrument.install()

    async def profiled(scope: Any, receive: Any, send: Any) -> None:
        instrument.current_queries.set([])
        await app(scope, receive, send)

    return profiled


CONTENDERS: dict[str, Callable[[sa.Engine, Any], Any]] = {
    "bare": bare,
    "stethoscope": stethoscope,
    "opentelemetry": opentelemetry,
    "opentelemetry-sampled": opentelemetry_sampled,
    "asgi-profiler": asgi_profiler,
}


def drive(app: Any, path: str, requests: int) -> None:
    """Without an event loop, which nothing here waits for: on one, a synchronous query is a finding of ours each time."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    async def send(message: object) -> None:
        pass

    scope = {"type": "http", "method": "GET", "path": path, "scheme": "http", "headers": []}
    for _ in range(requests):
        with suppress(StopIteration):
            app(dict(scope), receive, send).send(None)


class Rounds:
    """A warm app; each answer is seconds of processor time for one query."""

    def __init__(self, contender: str) -> None:
        engine = make_engine()
        self._app = CONTENDERS[contender](engine, make_app(engine))

    def small(self, requests: float) -> Answer:
        return {"seconds": self._time("/", int(requests)) / QUERIES}

    def many(self, requests: float) -> Answer:
        return {"seconds": self._time("/many", int(requests)) / MANY}

    def undetected(self, requests: float) -> Answer:
        """As `many`, in the same process, without detection."""
        with undetected():
            return self.many(requests)

    def version(self, _: float) -> Answer:
        return {"major": int(sa.__version__.split(".")[0]), "minor": int(sa.__version__.split(".")[1])}

    def _time(self, path: str, requests: int) -> float:
        """Of a request: processor time of the whole process, as other loads on the machine do not enter it."""
        gc.collect()
        begin = time.process_time_ns()
        drive(self._app, path, requests)
        return (time.process_time_ns() - begin) / 1e9 / requests


def main(contender: str) -> None:
    rounds = Rounds(contender)
    commands = {"small": rounds.small, "many": rounds.many, "undetected": rounds.undetected, "version": rounds.version}
    answer_commands(commands, sys.stdin)


if __name__ == "__main__":
    main(*sys.argv[1:])
