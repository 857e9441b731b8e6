"""The correlation ID in logs: a filter and a JSON formatter for `logging`, a processor for structlog.

Nothing here raises: a log line that cannot be had in full is written with what can be had.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping, MutableMapping
from typing import Final

from stethoscope.current import found_in, request_id, trace_id
from stethoscope.error_type import class_name

NO_REQUEST: Final = "-"
"""What a record's ``request_id`` is outside a request, as access logs have it for what is missing."""

# uvicorn adds `color_message`: the message once more, with escape codes for a terminal.
_NOT_EXTRA: Final = frozenset(
    [
        *vars(logging.LogRecord("", 0, "", 0, "", (), None)),
        *("message", "asctime", "taskName", "request_id", "trace_id", "color_message"),
    ]
)
_FIELDS: Final = frozenset(["timestamp", "level", "logger", "message", "request_id", "trace_id", "exception", "stack"])
_DEEPEST: Final = 8
_WIDEST_INTEGER_BITS: Final = 64


class RequestIDFilter(logging.Filter):
    """Gives every record a ``request_id``: the current correlation ID, `-` outside a request.

    And a ``trace_id``: that of the current trace, `-` outside a request and where requests are not traced. A record of an exception that a request ended with has that request's ID, also where a server
    logs it after the request.

    It lets every record pass. Put it on handlers: a logger's filters do not see the records of the
    loggers below it. Where a queue takes records to another thread, put it on the ``QueueHandler``,
    which still runs in the request; a ``request_id`` that a record already has is kept.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if _is_missing(record.__dict__.get("request_id", NO_REQUEST)):
            record.request_id = _current() or _of_failure(record) or NO_REQUEST
        if "trace_id" not in record.__dict__:
            record.trace_id = _trace() or NO_REQUEST
        return True


def add_request_id(
    logger: object, method_name: str, event_dict: MutableMapping[str, object]
) -> MutableMapping[str, object]:
    """A structlog processor: adds ``request_id`` while a request is being served, and ``trace_id`` where it is traced.

    One that the caller bound is kept. As a ``foreign_pre_chain`` of structlog's
    ``ProcessorFormatter`` it does the same for records of `logging`.
    """
    current = _current()
    if current is not None:
        event_dict.setdefault("request_id", current)
        if (trace := _trace()) is not None:
            event_dict.setdefault("trace_id", trace)
    return event_dict


class JSONFormatter(logging.Formatter):
    r"""One JSON object a line for every record, in ASCII, whatever the record holds.

    Fields: ``timestamp`` (RFC 3339, UTC, microseconds), ``level``, ``logger``, ``message``,
    ``request_id`` (null outside a request; no filter needed), ``trace_id`` where requests are traced, ``exception`` (``type``, ``message``,
    ``stack``) and ``stack`` (of ``stack_info=True``) when there is one, then what was passed by
    ``extra=`` under its own name, with ``_`` appended where that is one of ours.

    Mappings, lists, tuples, text, booleans, finite numbers and None stay what they are, to a depth
    of 8; anything else is its ``str()``. Integers beyond 64 bits, NaN and infinities are text, as
    many readers of JSON take none of them. A line break in a value is ``\n`` in the line, so no value
    can forge a line; a lone surrogate is spelt out (``\\udcff``), as it is no character.
    """

    def format(self, record: logging.LogRecord) -> str:
        try:
            return json.dumps(self._fields(record), allow_nan=False)
        except Exception as error:
            return _last_resort(record, error)

    def _fields(self, record: logging.LogRecord) -> dict[str, object]:
        fields: dict[str, object] = {
            "timestamp": _timestamp(record.created),
            "level": _plain(record.levelname),
            "logger": _plain(record.name),
            "message": _clean(_message(record)),
            "request_id": _plain(_request_id_of(record)),
        }
        if trace := _trace_id_of(record):
            fields["trace_id"] = _plain(trace)
        if exception := self._exception(record):
            fields["exception"] = exception
        if record.stack_info:
            fields["stack"] = _plain(record.stack_info)
        for name, value in record.__dict__.items():
            if name not in _NOT_EXTRA:
                name = _text(name)
                fields[f"{name}_" if name in _FIELDS else name] = _plain(value)
        return fields

    def _exception(self, record: logging.LogRecord) -> dict[str, object] | None:
        if not (isinstance(record.exc_info, tuple) and record.exc_info[1] is not None):
            # A queue handler leaves the rendered traceback only.
            return {"stack": _plain(record.exc_text)} if record.exc_text else None
        error = record.exc_info[1]
        return {
            "type": class_name(type(error)),
            "message": _text(error),
            "stack": _clean(record.exc_text or self.formatException(record.exc_info)),
        }


def _current() -> str | None:
    try:
        return request_id()
    except Exception:
        return None


def _trace() -> str | None:
    try:
        return trace_id()
    except Exception:
        return None


def _of_failure(record: logging.LogRecord) -> str | None:
    """The ID of the request that failed with the record's exception.

    Servers log what an app raised when the request is over and its context left. But the exception
    came through our layer, whose frame in the traceback still knows the request.
    """
    try:
        trace = record.exc_info[2] if record.exc_info else None
        while trace is not None:
            watched = found_in(trace.tb_frame)
            if watched is not None:
                return watched.request_id
            trace = trace.tb_next
    except Exception:
        pass
    return None


def _request_id_of(record: logging.LogRecord) -> object:
    given: object = record.__dict__.get("request_id", NO_REQUEST)
    return (_current() or _of_failure(record)) if _is_missing(given) else given


def _trace_id_of(record: logging.LogRecord) -> object:
    given: object = record.__dict__.get("trace_id", NO_REQUEST)
    return _trace() if _is_missing(given) else given


def _is_missing(given: object) -> bool:
    return type(given) is str and given == NO_REQUEST


def _timestamp(created: float) -> str:
    from datetime import UTC, datetime  # not for those who format their logs themselves

    return datetime.fromtimestamp(created, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:
        return f"{_text(record.msg)} (its arguments could not be put in: {type(error).__name__})"


def _plain(value: object, depth: int = 0) -> object:
    """``value`` as JSON can have it."""
    if isinstance(value, str):
        return _clean(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int) and value.bit_length() <= _WIDEST_INTEGER_BITS:
        return value
    if isinstance(value, Mapping | list | tuple) and depth < _DEEPEST:
        return _plain_container(value, depth + 1)
    return _text(value)


def _plain_container(value: Mapping[object, object] | list[object] | tuple[object, ...], depth: int) -> object:
    try:
        if isinstance(value, Mapping):
            return {_text(key): _plain(item, depth) for key, item in value.items()}
        return [_plain(item, depth) for item in value]
    except Exception:
        return _text(value)


def _text(value: object) -> str:
    try:
        return _clean(str(value))
    except Exception:
        return f"<{type(value).__qualname__} without text>"


def _clean(text: str) -> str:
    # Exactly `str` also for subclasses, whose methods are the user's code.
    return str.encode(text, "utf-8", "backslashreplace").decode()


def _last_resort(record: logging.LogRecord, error: Exception) -> str:
    """Reached by a record that is damaged itself, say with a ``created`` that is no time."""
    fields = {
        "timestamp": _timestamp(time.time()),
        "level": "ERROR",
        "logger": __name__,
        "message": f"a log record could not be formatted: {type(error).__name__}",
        "request_id": _current(),
        "record": _text(record.__dict__.get("msg")),
    }
    return json.dumps(fields)
