"""Reading plans: whether a table is read from end to end to find little of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

SCANNED_FROM: Final = 1_000
"""Rows of a table, from which on it matters how they are found."""
_FOUND_AT_MOST: Final = 0.1
"""Part of the table's rows, up to which an index would serve."""
_MOST_CHARACTERS: Final = 4_096
"""Of a condition, which is searched in time that grows with the square of the longest word in it."""
_COLUMN: Final = re.compile(r"\(*\"?([A-Za-z_]\w*)\"?\)*(?:::[\w ]+)?\)* (?:=|<|>|<=|>=|~~) ")
_SQLITE_SCAN: Final = re.compile(r"^SCAN (?:TABLE )?(\S+)(?! USING)")


class Scan(NamedTuple):
    """``rows`` is how many the table has, ``found`` how many of them are expected to be what was asked for."""

    table: str
    rows: int
    found: int | None
    columns: tuple[str, ...]


def postgresql_scans(plan: Mapping[str, Any], rows_of: Mapping[str, float]) -> Iterator[Scan]:
    """Sequential scans with a filter in a plan (``EXPLAIN (FORMAT JSON)``); ``rows_of`` has the tables' numbers of rows."""
    if plan.get("Node Type") == "Seq Scan" and "Filter" in plan:
        table = str(plan.get("Relation Name", ""))
        rows, found = int(rows_of.get(table, 0)), int(plan.get("Plan Rows", 0))
        columns = tuple(dict.fromkeys(_COLUMN.findall(str(plan["Filter"])[:_MOST_CHARACTERS])))
        if rows >= SCANNED_FROM and found <= rows * _FOUND_AT_MOST and columns:
            yield Scan(table, rows, found, columns)
    for inner in plan.get("Plans", ()):
        yield from postgresql_scans(inner, rows_of)


def tables_of(plan: Mapping[str, Any]) -> Iterator[str]:
    if plan.get("Relation Name"):
        yield str(plan["Relation Name"])
    for inner in plan.get("Plans", ()):
        yield from tables_of(inner)


def sqlite_scans(details: Sequence[str], text: str, rows_of: Mapping[str, int]) -> Iterator[Scan]:
    """Full scans in the lines of ``EXPLAIN QUERY PLAN``, of tables by whose columns the statement ``text`` selects."""
    for detail in details:
        match = _SQLITE_SCAN.match(detail)
        if match is None or "USING" in detail:
            continue
        table = match[1].strip('"')
        columns = _compared(text, table)
        rows = rows_of.get(table, 0)
        if columns and rows >= SCANNED_FROM:
            yield Scan(table, rows, None, columns)


def _compared(text: str, table: str) -> tuple[str, ...]:
    """Columns that a statement without literals compares for equality behind its WHERE."""
    _, where, condition = re.sub(r"\s+", " ", text).partition(" WHERE ")
    found = re.findall(rf'(?:"?{re.escape(table)}"?\.)?"?(\w+)"? (?:=|IN) [?(]', condition) if where else []
    return tuple(dict.fromkeys(found))
