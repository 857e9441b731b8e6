"""What runs around each query does the same compiled and plain, and leaves to Python what is not plain."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

import stethoscope
from stethoscope import names
from stethoscope.instruments.database import execution
from stethoscope.instruments.database.database import Database
from stethoscope.instruments.database.work import Uses
from stethoscope.store.recorder import Recorder
from tests.instruments.reading import numbers
from tests.instruments.sqlalchemy.shop import in_thread, request

needs_compiled = pytest.mark.skipif(execution._compiled is None, reason="nothing is compiled")

QUERIES = 50
LOOKED_AT = 4
"""Of 50: the first, second, fourth and 16th. More on a machine that stops the test for a while: those took long."""


@pytest.fixture
def engine() -> sa.Engine:
    return stethoscope.watch(
        sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    )


def ask(engine: sa.Engine) -> Callable[[], None]:
    def work() -> None:
        with engine.connect() as connection:
            for number in range(QUERIES):
                connection.execute(sa.text("SELECT :number"), {"number": number})

    return work


def test_plain_queries_come_to_python_only_to_be_looked_at(
    own: Recorder, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    plain = Database._put_down

    def put_down(*given: Any) -> None:
        seen.append(given)
        plain(*given)

    monkeypatch.setattr(Database, "_put_down", put_down)
    request(in_thread(ask(engine)), own)
    if execution._compiled is None:
        assert len(seen) == QUERIES
    else:
        assert LOOKED_AT <= len(seen) <= QUERIES / 2
    assert sum(numbers(own, names.QUERY_DURATION.name).values()) == QUERIES


def test_calls_in_other_forms_are_passed_on(own: Recorder, engine: sa.Engine) -> None:
    with engine.connect() as connection:
        dialect: Any = engine.dialect
        driver: Any = connection.connection.dbapi_connection
        cursor = driver.cursor()
        dialect.do_execute(cursor, "SELECT 1", ())
        dialect.do_execute(cursor, "SELECT 2", (), context=None)
        with pytest.raises(TypeError):
            dialect.do_execute(cursor)
        with pytest.raises(TypeError):
            dialect.do_execute(cursor, "SELECT 1", (), None, None)
    assert sum(numbers(own, names.QUERY_DURATION.name).values()) == 2


class Interrupting(str):
    """A parameter at whose first hash the user presses ^C."""

    hashed = 0

    def __hash__(self) -> int:
        self.hashed += 1
        if self.hashed == 1:
            raise KeyboardInterrupt
        return str.__hash__(self)


@pytest.mark.parametrize("earlier", [0, 2], ids=["first", "as before"])
def test_an_interrupt_while_parameters_are_looked_at_is_not_swallowed(
    own: Recorder, engine: sa.Engine, earlier: int
) -> None:
    def work() -> None:
        with engine.connect() as connection:
            cursor: Any = connection.connection.dbapi_connection.cursor()  # type: ignore[union-attr]
            for number in range(earlier):
                engine.dialect.do_execute(cursor, "SELECT ?", (number,))
            with pytest.raises(KeyboardInterrupt):
                engine.dialect.do_execute(cursor, "SELECT ?", (Interrupting("a"),))

    request(in_thread(work), own)


@needs_compiled
def test_other_interpreters_of_a_process_run_the_python_code() -> None:
    interpreters = pytest.importorskip("_xxsubinterpreters" if sys.version_info < (3, 13) else "_interpreters")
    other = interpreters.create()
    code = (
        f"import sys\nsys.path[:] = {sys.path!r}\nfrom stethoscope import hot\nassert hot.extension('_hot_sql') is None"
    )
    try:
        assert interpreters.run_string(other, code) is None
    finally:
        interpreters.destroy(other)


Runs = list[execution.Run]


@pytest.mark.parametrize(
    "runs",
    [
        [],
        [(1, 0.0, 0.25, 3, 0), (2, 0.25, 0.5, -1, 0), (1, 0.5, 1.5, 0, 0)],
        [(1, 0.0, 0.01, -1, 0), (1, 0.02, 0.03, -1, 0), (1, 0.04, 0.05, -1, 1), (1, 0.06, 0.07, -1, 1)],
        [(1, 0.0, 0.01, -1, 0), (1, 0.2, 0.3, -1, 0), (None, 0.3, 0.4, 7, 2)],
        [(1, 0.0, 0.01, -1, 0), (2, 0.2, 0.3, -1, 0), (3, 0.31, 0.4, -1, 0), (4, 0.46, 0.5, -1, 0)],
        [(key, 0.0, 0.0, -1, 0) for key in range(execution.MOST_PARAMETERS + 5)],
        [(key, float(key), float(key), -1, 0) for key in range(execution.MOST_PARAMETERS + 5)],
    ],
    ids=[
        "none",
        "different",
        "repeated until a write",
        "apart",
        "different and apart",
        "too many",
        "too many and apart",
    ],
)
def test_runs_are_added_up_the_same_both_ways(runs: Runs) -> None:
    def added(add_up: Callable[..., float]) -> object:
        uses, seconds, rows = Uses(), list[float](), list[float]()
        totals = [add_up(uses, part, seconds.append, rows.append) for part in (runs, runs)]
        return totals, seconds, rows, {name: getattr(uses, name) for name in Uses.__slots__}

    assert added(execution.add_up) == added(execution.add_up_plainly)


@needs_compiled
def test_what_is_counted_while_records_change_the_fields_class_stays_right() -> None:
    """A record is Python code, which may have others of another layout counted meanwhile."""

    class Wider(Uses):
        __slots__ = ("more",)

    class Other:
        __slots__ = ("a", "apart", "b", "c", "count", "ended", "identical", "parameters", "seconds", "worst", "writes")

    def nested(seconds: float) -> None:
        other: Any = Other()
        other.parameters, other.worst, other.ended, other.seconds = {}, 0.0, 0.0, 0.0
        other.identical, other.writes, other.count, other.apart = 0, 0, 0, 0
        execution.add_up(other, runs, lambda _: None, lambda _: None)
        assert (other.count, other.seconds) == (2, 3.0)

    runs: Runs = [(1, 0.0, 1.0, -1, 0), (2, 1.0, 3.0, -1, 0)]
    uses = Wider()
    assert execution.add_up(uses, runs, nested, nested) == 3.0
    assert (uses.count, uses.seconds, uses.worst, uses.ended) == (2, 3.0, 2.0, 3.0)


def test_what_are_no_runs_is_an_error_and_no_crash() -> None:
    for runs in ([None], [()], [("a", "b", "c", "d", "e")], [(1, 2.0, 3.0, "x", 0)]):
        with pytest.raises((TypeError, ValueError)):
            execution.add_up(Uses(), runs, lambda _: None, lambda _: None)  # type: ignore[arg-type]
