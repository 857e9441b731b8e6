"""Statements as they are met: each text is looked into once, and remembered within bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stethoscope.instruments.database.call_site import Depth
from stethoscope.instruments.database.outline import Outline, outline
from stethoscope.sql import MOST_CHARACTERS
from stethoscope.store.series import HistogramSeries

_MOST_STATEMENTS: Final = 5_000
_MOST_REMEMBERED: Final = 4 << 20
"""Characters of all statements together."""


class Query:
    """All statements of one fingerprint, in one database."""

    __slots__ = ("collection", "duration", "fingerprint", "operation", "reads", "rows", "text")

    def __init__(self, seen: Outline, duration: HistogramSeries, rows: HistogramSeries) -> None:
        self.fingerprint = seen.fingerprint
        self.text = seen.text
        self.operation = seen.operation
        self.collection = seen.collection
        self.reads = seen.reads
        self.duration = duration
        self.rows = rows


class Statement:
    """One text. ``is_part`` says that it asks for a page of what there is, or for many at once."""

    __slots__ = ("depth", "is_part", "offset", "query", "reads", "record", "record_rows")

    def __init__(self, query: Query, seen: Outline) -> None:
        self.query = query
        self.reads = query.reads
        self.record = query.duration.record
        self.record_rows = query.rows.record_repeating
        self.offset = seen.offset
        self.is_part = seen.is_part
        self.depth = Depth()

    def count(self, seconds: float, rows: int) -> None:
        """One operation; -1 for rows says that nobody knows how many."""
        self.record(seconds)
        if rows >= 0:
            self.record_rows(rows)


class Statements:
    """The statements of one database that were met last."""

    def __init__(self, system: str, make: Callable[[Outline], Query]) -> None:
        self._system = system
        self._make = make
        self._queries: dict[str, Query] = {}
        self._characters = 0
        self.known: dict[str, Statement] = {}
        """By text; to be asked first."""

    def learn(self, sql: str) -> Statement:
        """The statement of a text that is not known. A comment at its end is none of it: it may be another each time."""
        text = _without_comment(sql[:MOST_CHARACTERS])
        statement = self.known.get(text)
        if statement is None:
            seen = outline(text, self._system)
            statement = Statement(self._query(seen), seen)
            self._remember(text, statement)
        return statement

    def _query(self, seen: Outline) -> Query:
        query = self._queries.get(seen.fingerprint)
        if query is None:
            query = self._make(seen)
            self._queries[seen.fingerprint] = query
        return query

    def _remember(self, text: str, statement: Statement) -> None:
        # All at once, because it is seldom: an app whose statements differ each time writes values into them.
        if len(self.known) >= _MOST_STATEMENTS or self._characters + len(text) > _MOST_REMEMBERED:
            self.known.clear()
            self._queries.clear()
            self._characters = 0
        self.known[text] = statement
        self._characters += len(text)


def _without_comment(sql: str) -> str:
    if sql.endswith("*/") and (start := sql.rfind("/*")) > 0:
        return sql[:start].rstrip()
    return sql
