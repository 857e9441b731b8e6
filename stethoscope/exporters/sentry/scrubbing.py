"""What must not leave: query strings, cookies, bodies of requests, literals of SQL, and where they hide.

Events are what the SDK hands to ``before_send``: JSON, by the names of Sentry's event payloads. They
are changed in place. What is not looked at is what the app itself says: messages, tags, extra data, users.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any, Final

from stethoscope.exporters.database_errors import is_drivers, without_values
from stethoscope.sql import without_literals

Event = MutableMapping[str, Any]

_HEADERS: Final = frozenset(("cookie", "set-cookie", "authorization", "proxy-authorization"))
_LINKS: Final = frozenset(("referer", "location", "origin"))
_QUERIES: Final = frozenset(("http.query", "url.query", "http.fragment", "url.fragment", "query_string"))
_URLS: Final = frozenset(("url", "url.full", "http.url", "http.target", "to", "from"))
_STATEMENTS: Final = frozenset(("db.statement", "db.query.text"))
_PARAMETERS: Final = ("db.params", "db.parameters", "db.query.parameter")
_QUERY_CRUMBS: Final = ("query", "sqlalchemy.engine", "django.db")
"""Categories of breadcrumbs that are statements: those of the SDK's integrations, and loggers that write down statements."""


def scrub(event: Event, *, query_strings: bool, local_variables: bool) -> None:
    _scrub_request(event.get("request"), query_strings=query_strings)
    for exception in _values(event.get("exception")):
        if isinstance(exception.get("value"), str):
            exception["value"] = without_values(
                exception["value"], is_drivers=is_drivers(str(exception.get("module") or ""))
            )
    if not local_variables:
        for frame in _frames(event):
            frame.pop("vars", None)
    for told in _told(event):
        _scrub_told(told, query_strings=query_strings)
    for crumb in _values(event.get("breadcrumbs")):
        _scrub_crumb(crumb)
    for span in _spans(event):
        _scrub_span(span, query_strings=query_strings)
    _scrub_logged(event.get("logentry"))


def scrub_log(log: Event) -> None:
    """A line of a log, with the arguments that it was made of among its attributes."""
    attributes = log.get("attributes")
    told = attributes if isinstance(attributes, dict) else {}
    is_statement = str(told.get("logger.name") or "").startswith(_QUERY_CRUMBS)
    without = without_literals if is_statement else without_values
    if isinstance(log.get("body"), str):
        log["body"] = without(log["body"])
    for name, value in told.items():
        if name.startswith("sentry.message.") and isinstance(value, str):
            told[name] = without(value)


def scrub_streamed(span: Event, *, query_strings: bool) -> None:
    """A span that is sent without a transaction: it has a name for a description, and attributes for data."""
    attributes = span.get("attributes")
    if not isinstance(attributes, dict):
        return
    whole = {"op": attributes.get("sentry.op"), "description": span.get("name"), "data": attributes}
    _scrub_span(whole, query_strings=query_strings)
    if attributes.get("sentry.segment.name") == span.get("name"):  # it is the first of its trace here
        attributes["sentry.segment.name"] = whole["description"]
    span["name"] = whole["description"]
    _scrub_told(attributes, query_strings=query_strings)


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
        if name in _STATEMENTS and isinstance(told[name], str):
            told[name] = without_literals(told[name], _system(told))
        elif name in _STATEMENTS or name.startswith(_PARAMETERS) or (name in _QUERIES and not query_strings):
            del told[name]
        elif not query_strings and name in _URLS:
            told[name] = _without_query(told[name])


def _scrub_span(span: Event, *, query_strings: bool) -> None:
    operation, text = str(span.get("op") or ""), span.get("description")
    if not isinstance(text, str):
        return
    if operation.startswith("db"):
        span["description"] = without_literals(text, _system(span.get("data")))
    elif operation.startswith("http") and not query_strings:
        span["description"] = _without_query(text)


def _scrub_crumb(crumb: Event) -> None:
    text = crumb.get("message")
    if not isinstance(text, str):
        return
    is_statement = str(crumb.get("category") or "").startswith(_QUERY_CRUMBS)
    crumb["message"] = without_literals(text) if is_statement else without_values(text)


def _scrub_logged(logged: object) -> None:
    if not isinstance(logged, dict):
        return
    for name in ("message", "formatted"):
        if isinstance(logged.get(name), str):
            logged[name] = without_values(logged[name])
    parameters = logged.get("params")
    if isinstance(parameters, list):
        logged["params"] = [without_values(one) if isinstance(one, str) else one for one in parameters]


def _system(data: object) -> str:
    """The database product that data of a span names."""
    return str(data.get("db.system.name") or data.get("db.system") or "") if isinstance(data, dict) else ""


def _without_query(url: object) -> object:
    return re.split(r"[?#]", url, maxsplit=1)[0] if isinstance(url, str) else url


def _told(event: Event) -> Iterator[Event]:
    for holder in [*_spans(event), *_values(event.get("breadcrumbs"))]:
        if isinstance(holder.get("data"), dict):
            yield holder["data"]


def _spans(event: Event) -> list[Event]:
    """Those of a transaction, and the one that an event is of or was made in."""
    return _values([*(event.get("spans") or ()), (event.get("contexts") or {}).get("trace")])


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
