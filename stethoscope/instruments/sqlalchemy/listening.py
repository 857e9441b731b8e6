"""Counting each query of every engine in a tally, for the length of a test.

By SQLAlchemy's own events, which are seen on connections that were open before, and which slow an engine down: that is no
matter in a test. Apart from the instrument, so that it makes no difference what of the app is watched.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine import Engine

from stethoscope.instruments.database.tally import Tally
from stethoscope.instruments.database.work import Uses
from stethoscope.instruments.sqlalchemy.loaders import describe
from stethoscope.instruments.sqlalchemy.own import OURS

_tallies: Final[list[Tally]] = []
_started: Final[dict[int, tuple[float, Uses]]] = {}
"""By cursor. What fails is counted too, and has no time."""


class Listening:
    """While it is entered, all queries of this process are counted."""

    def __init__(self) -> None:
        self.tally = Tally()

    def __enter__(self) -> Tally:
        if not event.contains(Engine, "before_cursor_execute", _before):
            event.listen(Engine, "before_cursor_execute", _before)
            event.listen(Engine, "after_cursor_execute", _after)
        _tallies.append(self.tally)
        return self.tally

    def __exit__(self, *_: object) -> None:
        _tallies.remove(self.tally)
        _started.clear()


def _before(connection: Any, cursor: object, sql: str, parameters: Any, context: Any, many: bool) -> None:
    if _tallies and not OURS.get():
        uses = _tallies[-1].add(connection.dialect.name, sql, parameters, many=many, loader=describe(context))
        _started[id(cursor)] = (perf_counter(), uses)


def _after(connection: Any, cursor: object, sql: str, parameters: Any, context: Any, many: bool) -> None:
    started, uses = _started.pop(id(cursor), (0.0, None))
    if uses is not None:
        uses.seconds += perf_counter() - started
