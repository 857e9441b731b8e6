"""Reading plans: whether a table is read from end to end to find little of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

SCANNED_FROM: Final = 1_000
"""Rows of a table, from which on it matters how they are found."""
_FOUND_AT_MOST: Final = 0.1
"""Part of the table's rows, up to which an index would serve."""
_DEFAULT_SCHEMA: Final = "public"
_MOST_CHARACTERS: Final = 4_096
"""Of a condition, which is searched in time that grows with the square of the longest word in it."""
_NAME: Final = r'(?:"(?:[^"]|"")+"|[A-Za-z_]\w*)'
_COLUMN: Final = re.compile(
    # As it is, or cast: what is given to a function needs an index on that. All columns are qualified, as types are not.
    rf'(?:(?<![\w."]){_NAME}\.({_NAME})|(?<!\w)\({_NAME}\.({_NAME})\)::[\w ]+) (=|<|>|<=|>=|~~\*?) '
)
_LITERAL: Final = re.compile(r"'(?:[^']|'')*(?:'|$)")
_SQLITE_SCAN: Final = re.compile(r"^SCAN (?:TABLE )?(\S+)(?! USING)")


class Scan(NamedTuple):
    """``rows`` is how many the table has, ``found`` how many of them are expected to be what was asked for.

    The columns are what it is searched by: compared, or, where there are ``patterns``, with those of LIKE.
    """

    table: str
    rows: int
    found: int | None
    columns: tuple[str, ...]
    schema: str = ""
    patterns: bool = False

    def index_statement(self, quote: Callable[[str], str]) -> str:
        """The statement that makes what would serve it, with names as ``quote`` has them."""
        table = ".".join(quote(name) for name in (self.schema, self.table) if name)
        columns = [quote(column) for column in self.columns]
        if self.patterns:
            return f"CREATE INDEX ON {table} USING gin ({', '.join(f'{column} gin_trgm_ops' for column in columns)})"
        return f"CREATE INDEX ON {table} ({', '.join(columns)})"


def postgresql_scans(plan: Mapping[str, Any], rows_of: Mapping[tuple[str, str], float]) -> Iterator[Scan]:
    """Sequential scans with a filter in a plan (``EXPLAIN (VERBOSE, FORMAT JSON)``); ``rows_of`` has the tables' numbers of rows."""
    if plan.get("Node Type") == "Seq Scan" and "Filter" in plan:
        schema, table = str(plan.get("Schema", "")), str(plan.get("Relation Name", ""))
        rows, found = int(rows_of.get((schema, table), 0)), int(plan.get("Plan Rows", 0))
        columns, patterns = _filtered(str(plan["Filter"]))
        if rows >= SCANNED_FROM and found <= rows * _FOUND_AT_MOST and columns:
            yield Scan(table, rows, found, columns, "" if schema == _DEFAULT_SCHEMA else schema, patterns)
    for inner in plan.get("Plans", ()):
        yield from postgresql_scans(inner, rows_of)


def _filtered(condition: str) -> tuple[tuple[str, ...], bool]:
    """The columns by which a condition finds little, and whether that is by patterns: they need an index of another kind."""
    found = _COLUMN.findall(_LITERAL.sub("''", condition[:_MOST_CHARACTERS]))
    patterns = any(operator.startswith("~~") for _, _, operator in found)
    named = [plain or cast for plain, cast, operator in found if operator.startswith("~~") == patterns]
    return tuple(dict.fromkeys(_unquoted(name) for name in named)), patterns


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


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
