"""SQL comments that say for whom a statement is: to be seen in ``pg_stat_activity`` and in server logs.

In the form of sqlcommenter (google.github.io/sqlcommenter/spec): ``/*key='value',…*/`` at the end, keys in
order, values percent-encoded. Each request's differs, so that a server or driver that remembers statements by their
text remembers each of them: that is why they are off unless asked for.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from stethoscope.current import CURRENT
from stethoscope.instruments.database.execution import Execute

_MOST_CHARACTERS = 256


def comment() -> str:
    """For the request that the running code works for; empty outside of one."""
    request = CURRENT.get()
    if request is None:
        return ""
    pairs = [("request_id", request.request_id), ("route", request.route_by_now())]
    told = ",".join(f"{key}='{quote(value[:_MOST_CHARACTERS], safe='')}'" for key, value in pairs if value)
    return f" /*{told}*/"


def commenting(execute: Execute, *, escaped: bool) -> Execute:
    """``execute`` with a comment behind each statement. ``escaped`` where the driver looks for ``%s`` in it."""

    def commented(cursor: Any, sql: str, parameters: Any, context: Any) -> None:
        said = "" if sql.rstrip().endswith("*/") else comment()
        execute(cursor, sql + (said.replace("%", "%%") if escaped else said), parameters, context)

    return commented
