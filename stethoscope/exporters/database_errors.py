"""What errors of databases say, without values: those of statements, and those that a driver repeats.

A driver tells of the value that a constraint or a type refused, and SQLAlchemy puts statement and parameters behind that.
What is between the first quote of a driver's text and the last one is taken for a value, but for names that are
called so, such as ``constraint "users_email_key"``; and so are all lines after its first: DETAIL, CONTEXT and their like,
in whatever language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from traceback import format_exception
from typing import Final

from stethoscope.sql import without_literals

_DRIVERS: Final = frozenset(
    (
        *("aiomysql", "aioodbc", "aiosqlite", "asyncmy", "asyncpg", "cx_Oracle", "ibm_db_dbi", "mariadb", "mysql"),
        *("MySQLdb", "oracledb", "pg8000", "psycopg", "psycopg2", "pymssql", "pymysql", "pyodbc", "sqlite3"),
    )
)
_WRAPPERS: Final = ("sqlalchemy.dialects.", "django.db.")
"""Modules whose errors say what the driver has said, and no more."""

_STATEMENT: Final = "[SQL: "
# What SQLAlchemy puts behind a statement (`StatementError._sql_message`), line breaks as they are or as repr() has them.
_PARAMETERS: Final = re.compile(r"(?:\s|\\n)\[(?:parameters: |SQL parameters hidden)")
_BACKGROUND: Final = re.compile(r"(?:\s|\\n)\(Background on this error at: ")

# Not what SQLAlchemy puts before, in parentheses, nor lines that are indented.
_MORE: Final = re.compile(r"(?:\n|\\n)(?![\s(]).*", re.DOTALL)
# Class names before what a driver says, and the tuple of a number and a text that MySQL's have for arguments.
_BEGINNING: Final = re.compile(r"\s*(?:\([\w.]+\) )?(?:<class '[\w.]+'>: )?(?:\(\d+, [\"'])?")
_REFUSED: Final = re.compile(r"(query argument \$\d+[^:\n]*: |duplicate key value is ).*", re.DOTALL)
_GROUP: Final = "+---------------- "
"""What begins an exception in a group, as Python prints it."""
_NAME: Final = r"\b(?:column|constraint|function|index|relation|schema|sequence|table|type) \"[\w.]+\""
_QUOTED: Final = re.compile(rf"({_NAME})|['\"`](?:.*['\"`]|.*)", re.DOTALL)


def message_of(error: BaseException) -> str:
    """What an exception says, without values of statements."""
    return without_values(str(error), is_drivers=is_drivers(type(error).__module__))


def stacktrace_of(error: BaseException) -> str:
    """As Python prints it, with its causes, and without values in what each of them says. Lines of code are as they are."""
    text = "".join(format_exception(error))
    for one in _with_causes(error):
        said, told = str(one), message_of(one)
        if said == told:
            continue
        text = text.replace(said, told)
        if "\n" in said and _GROUP in text:
            # Within a group of exceptions each line has a margin. Costly for a text that is long.
            lines = r"[ |]*".join([re.escape(line) for line in said.splitlines(keepends=True)])
            text = re.sub(lines, told.replace("\\", r"\\"), text)
    return text


def is_drivers(module: str) -> bool:
    """Whether classes of a module are errors as a driver makes them."""
    return module.partition(".")[0] in _DRIVERS or f"{module}.".startswith(_WRAPPERS)


def without_values(text: str, *, is_drivers: bool = False) -> str:
    """A text that may hold what an error of SQLAlchemy says, or that is what a driver says, without values."""
    said, mark, more = text.partition(_STATEMENT)
    if not mark:
        return _without_refused(text) if is_drivers else text
    # Of several errors in one text, all that is between the first and the last is taken for parts of one.
    ends = [found.start() for found in _BACKGROUND.finditer(more)]
    more, background = (more[: ends[-1]], more[ends[-1] :]) if ends else (more, "")
    parameters = _PARAMETERS.search(more)
    statement = more[: parameters.start()] if parameters else more
    left_out = "\n[parameters left out]" if parameters else ""
    masked = without_literals(statement.rstrip().removesuffix("]"))
    return f"{_without_refused(said)}{_STATEMENT}{masked}]{left_out}{background}"


def _without_refused(said: str) -> str:
    """What a driver says, without the values that it complains of."""
    found = _BEGINNING.match(said)
    start = found.end() if found else 0
    ending = "\n" if said.endswith("\n") else ""
    rest = _REFUSED.sub(r"\1?", _MORE.sub("", said[start:]))
    rest = _QUOTED.sub(lambda quoted: quoted[1] or "?", rest)
    return said[:start] + rest.rstrip() + ending


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += (one.__cause__, one.__context__, *getattr(one, "exceptions", ()))
