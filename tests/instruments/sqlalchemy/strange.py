"""A third party's dialect: nothing of it is as usual, and all of it is allowed."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from tests.instruments.sqlalchemy.comparing import SECRET

URL = "strange+own://"


class Cursor(sqlite3.Cursor):
    @property
    def rowcount(self) -> int:
        raise RuntimeError(SECRET)


class Connection(sqlite3.Connection):
    def cursor(self, *arguments: Any, **options: Any) -> Any:
        return super().cursor(Cursor)


class Strange(SQLiteDialect_pysqlite):
    name = "strange"
    driver = "own"
    supports_statement_cache = True

    def create_connect_args(self, url: Any) -> Any:
        return [":memory:"], {"factory": Connection, "check_same_thread": False}

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None, *more: Any) -> None:
        cursor.execute(statement.replace("STRANGELY ", ""), parameters)

    def do_execute_no_params(self, cursor: Any, statement: str, context: Any = None) -> None:
        cursor.execute(statement.replace("STRANGELY ", ""))


registry.register("strange.own", __name__, "Strange")
