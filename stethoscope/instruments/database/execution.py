"""What runs around every operation, and what is done at once with many of them.

Written down here as a whole, and once more in ``_hot_sql.c`` for the plain case: a query of a request, that has succeeded and
of which nothing is to be looked at. All else comes to the Python functions, before anything was changed, so that both behave
the same: the tests of this instrument run both ways. Measure before changing it: ``python -m benchmarks database``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from stethoscope import hot
from stethoscope.current import CURRENT

if TYPE_CHECKING:
    from stethoscope.instruments.database.query import Statement
    from stethoscope.instruments.database.work import Uses

clock = perf_counter
"""Seconds, monotonic. Replaced by tests."""

MOST_PARAMETERS: Final = 10_000
"""Different ones of one query that a request remembers."""
APART: Final = 0.05
"""Seconds between two runs of one query from which on they are a wait for news, and neither a repetition nor a part of a loop."""

Execute = Callable[..., None]
"""``execute(cursor, statement, parameters, context)``: has a cursor of the DB-API (PEP 249) execute a statement."""
Answered = Callable[[Any, str, Any, Any, float, float], None]
"""``answered(cursor, statement, parameters, context, started, ended)``: told of what has succeeded."""
Failed = Callable[[Any, str, Any, float, float, BaseException], None]
"""``failed(cursor, statement, context, started, ended, error)``: told of what has not."""

Run = tuple[int | None, float, float, int, int]
"""An operation: the key of its parameters, when it started and ended, its rows, and what the request had written by then."""


def watched(
    execute: Execute,
    answered: Answered,
    failed: Failed,
    known: dict[str, Statement],
    looked_at_from: float,
    many: bool,
) -> Execute:
    """``execute``, watched: it does, returns and raises the same. Neither ``answered`` nor ``failed`` may raise anything.

    The plain case, of which ``answered`` need not be told, is for statements that are ``known``, when they take less
    than ``looked_at_from`` seconds. ``many`` says that it takes several sets of parameters.
    """

    def executed(cursor: Any, sql: str, parameters: Any, context: Any = None) -> None:
        started = clock()
        try:
            execute(cursor, sql, parameters, context)
        except BaseException as error:
            failed(cursor, sql, context, started, clock(), error)
            raise
        answered(cursor, sql, parameters, context, started, clock())

    if _compiled is None:
        return executed
    return _compiled.Watched(executed, execute, answered, failed, known, CURRENT, globals(), looked_at_from, many)  # type: ignore[no-any-return]


def rows_of(cursor: Any) -> int:
    """What a cursor says of its rows; -1 where it does not know, as PEP 249 has it, or has something else to say."""
    try:
        rows = cursor.rowcount
    except Exception:  # of whatever dialect
        return -1
    return rows if rows.__class__ is int else -1


def key_of(parameters: Any) -> int | None:
    """The same for the same parameters of one query; None where they cannot be compared."""
    try:
        return hash(parameters if parameters.__class__ is tuple else tuple(parameters.values()))
    except Exception:  # of whatever class of the app's is among them
        return None


def add_up_plainly(
    uses: Uses, runs: Sequence[Run], record: Callable[[float], None], record_rows: Callable[[float], None]
) -> float:
    """Count operations of one statement, in order, in the metrics and in ``uses``. Returns the seconds of all."""
    parameters, room = uses.parameters, MOST_PARAMETERS - len(uses.parameters)
    total, worst = 0.0, uses.worst
    for key, started, ended, rows, writes in runs:
        seconds = ended - started
        record(seconds)
        total += seconds
        if seconds > worst:
            worst = seconds
        if rows >= 0:
            record_rows(rows)
        if key is not None:
            if key not in parameters:
                if room > 0:
                    if parameters and started - uses.ended >= APART:
                        uses.apart += 1
                    parameters[key] = 1
                    room -= 1
            elif writes == uses.writes and started - uses.ended < APART:
                parameters[key] += 1
                uses.identical = max(uses.identical, parameters[key])
            uses.ended, uses.writes = ended, writes
    uses.worst = worst
    uses.seconds += total
    uses.count += len(runs)
    return total


_compiled: Any = hot.extension("_hot_sql") if hot.ONE_CLOCK else None
add_up: Final[Callable[[Uses, Sequence[Run], Callable[[float], None], Callable[[float], None]], float]] = (
    add_up_plainly if _compiled is None else _compiled.add_up
)
