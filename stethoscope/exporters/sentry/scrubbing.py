"""What must not leave: query strings, cookies, bodies of requests, literals of SQL, and where they hide.

Events are what the SDK hands to ``before_send``: JSON, by the names of Sentry's event payloads. They
are changed in place. What is not looked at is what the app itself says: messages, tags, extra data, users.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any, Final

Event = MutableMapping[str, Any]

_HEADERS: Final = frozenset(("cookie", "set-cookie", "authorization", "proxy-authorization"))
_LINKS: Final = frozenset(("referer", "location", "origin"))
_QUERIES: Final = frozenset(("http.query", "url.query", "http.fragment", "url.fragment", "query_string"))
_URLS: Final = frozenset(("url", "url.full", "http.url", "http.target", "to", "from"))
_STATEMENTS: Final = frozenset(("db.statement", "db.query.text", "db.params", "db.parameters"))
_SQL: Final = re.compile(
    r"\s*(?:/\*.*?\*/\s*)*(?:SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|CALL|EXEC|COPY|CREATE|ALTER|SET|VALUES|EXPLAIN)\b",
    re.IGNORECASE | re.DOTALL,
)
# Text in any of the usual quotes, and numbers that are no part of a name.
_LITERAL: Final = re.compile(
    r"'(?:[^'\\]|''|\\.)*'?|(\$\w*\$).*?(?:\1|$)|(?<![\w$.])[-+]?(?:0x[0-9a-f]+|\d+(?:\.\d*)?(?:e[-+]?\d+)?)(?![\w.])",
    re.IGNORECASE | re.DOTALL,
)
# As SQLAlchemy puts them behind what a driver says.
_STATEMENT: Final = re.compile(r"\[SQL: (.*?)\](?=\s*(?:\n|$))", re.DOTALL)
_PARAMETERS: Final = re.compile(r"\[parameters: .*?\](?=\s*(?:\n|$))", re.DOTALL)


def scrub(event: Event, *, query_strings: bool, local_variables: bool) -> None:
    _scrub_request(event.get("request"), query_strings=query_strings)
    for exception in _values(event.get("exception")):
        if isinstance(exception.get("value"), str):
            exception["value"] = _scrub_message(exception["value"])
    if not local_variables:
        for frame in _frames(event):
            frame.pop("vars", None)
    for told in _told(event):
        _scrub_told(told, query_strings=query_strings)
    for crumb in _values(event.get("breadcrumbs")):
        _scrub_statement(crumb, "message")
    for span in event.get("spans") or ():
        if not query_strings and str(span.get("op", "")).startswith("http"):
            span["description"] = _without_query(span.get("description"))
        _scrub_statement(span, "description")
    _scrub_logged(event)


def mask_literals(sql: str) -> str:
    """A statement with ``?`` for each text and number in it."""
    return _LITERAL.sub("?", sql)


def _scrub_request(request: object, *, query_strings: bool) -> None:
    if not isinstance(request, dict):
        return
    for name in ("cookies", "data", "env"):
        request.pop(name, None)
    if not query_strings:
        request.pop("query_string", None)
        request["url"] = _without_query(request.get("url"))
    headers = request.get("headers")
    if isinstance(headers, dict):
        for name in list(headers):
            if name.lower() in _HEADERS:
                del headers[name]
            elif name.lower() in _LINKS and not query_strings:
                headers[name] = _without_query(headers[name])


def _scrub_told(told: Event, *, query_strings: bool) -> None:
    """Data of a span or a breadcrumb."""
    for name in list(told):
        if name in _STATEMENTS:
            if isinstance(told[name], str) and name in ("db.statement", "db.query.text"):
                told[name] = mask_literals(told[name])
            else:
                del told[name]
        elif not query_strings and name in _QUERIES:
            del told[name]
        elif not query_strings and name in _URLS:
            told[name] = _without_query(told[name])


def _scrub_statement(holder: Event, name: str) -> None:
    text = holder.get(name)
    if isinstance(text, str) and _SQL.match(text):
        holder[name] = mask_literals(text)


def _scrub_logged(event: Event) -> None:
    logged = event.get("logentry")
    if not isinstance(logged, dict):
        return
    for name in ("message", "formatted"):
        if isinstance(logged.get(name), str):
            logged[name] = _scrub_message(logged[name])


def _scrub_message(text: str) -> str:
    text = _STATEMENT.sub(lambda found: f"[SQL: {mask_literals(found[1])}]", text)
    return _PARAMETERS.sub("[parameters left out]", text)


def _without_query(url: object) -> object:
    return re.split(r"[?#]", url, maxsplit=1)[0] if isinstance(url, str) else url


def _told(event: Event) -> Iterator[Event]:
    holders = [*(event.get("spans") or ()), *_values(event.get("breadcrumbs"))]
    trace = (event.get("contexts") or {}).get("trace")
    for holder in [*holders, trace]:
        if isinstance(holder, dict) and isinstance(holder.get("data"), dict):
            yield holder["data"]


def _frames(event: Event) -> Iterator[Event]:
    holders = [*_values(event.get("exception")), *_values(event.get("threads")), event]
    for holder in holders:
        trace = holder.get("stacktrace")
        if isinstance(trace, dict):
            yield from (frame for frame in trace.get("frames") or () if isinstance(frame, dict))


def _values(interface: object) -> list[Event]:
    """Of an interface that is a list, or a list under ``values``."""
    values = interface.get("values") if isinstance(interface, dict) else interface
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
