"""What is kept of one request: an account from its arrival to its end.

No personal data goes in: neither path nor query string, no header but the IDs, no SQL but its fingerprint, no
message of an exception and no values of its variables.
"""

from __future__ import annotations

import json
import linecache
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stethoscope.error_type import class_name
from stethoscope.frames import Place, traceback_places
from stethoscope.middleware.correlation import trace_id_of

if TYPE_CHECKING:
    from stethoscope.current import Current
    from stethoscope.middleware.exchange import Exchange

Account = dict[str, object]
Details = Callable[["Current"], Mapping[str, object]]
"""What an instrument knows of a request, as JSON: ``queries`` and ``findings``, say."""

_MOST_CHAINED: Final = 3
_MOST_LINES: Final = 25
_MOST_TEXT: Final = 160
_to_json: Final = json.JSONEncoder(separators=(",", ":")).encode


class Raised(NamedTuple):
    """An exception's class, and the lines that it came through, the innermost first, with the files they are in."""

    type: str
    lines: list[tuple[Place, str]]


def account(exchange: Exchange, status: int, seconds: float) -> Account:
    """Of a request that is over, what takes no time to find out. On the event loop."""
    return {
        "request_id": exchange.request_id,
        "trace_id": _trace_id(exchange),
        "method": str(exchange.scope.get("method", "")),
        "route": exchange.route or "",
        "status": status,
        "error_type": exchange.error,
        "arrived_at": round(time.time() - seconds, 3),
        "duration_seconds": round(seconds, 6),
        "received_bytes": exchange.received,
        "sent_bytes": exchange.sent,
        "worker": os.getpid(),
        "timeline": list(_timeline(exchange, seconds)),
        "parts": [
            {"name": name, "seconds": round(share.seconds, 6), "times": share.pieces}
            for name, share in (exchange.shares or {}).items()
        ],
    }


def _trace_id(exchange: Exchange) -> str:
    if exchange.trace is not None and (known := exchange.trace.trace_id):
        return known
    return (trace_id_of(exchange.scope["headers"]) or b"").decode("ascii")


def _timeline(exchange: Exchange, seconds: float) -> Iterator[Account]:
    """What happened when, in seconds since the arrival."""
    queue = (exchange.shares or {}).get("queue")
    if queue is not None:
        yield {"event": "queued", "at_seconds": -round(queue.seconds, 6)}
    yield {"event": "arrived", "at_seconds": 0.0}
    if exchange.first_byte:
        yield {"event": "first byte", "at_seconds": round(exchange.first_byte - exchange.started, 6)}
    yield {"event": "complete" if exchange.ended else "broken off", "at_seconds": round(seconds, 6)}


def raised(error: BaseException | None) -> list[Raised]:
    """An exception and those that it came from. Holds neither it nor its frames."""
    found: list[Raised] = []
    while error is not None and len(found) < _MOST_CHAINED:
        found.append(Raised(class_name(type(error)), traceback_places(error.__traceback__, _MOST_LINES)))
        error = _origin(error)
    return found


def _origin(error: BaseException) -> BaseException | None:
    """What an exception came from; of a group, the first that is in it."""
    if isinstance(error, BaseExceptionGroup):
        first: BaseException = error.exceptions[0]
        return first
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def told(found: list[Raised]) -> list[Account]:
    """As JSON, with the text of the lines. Reads source files: not on the event loop."""
    return [{"type": one.type, "lines": [_line(place, file) for place, file in one.lines]} for one in found]


def _line(place: Place, file: str) -> Account:
    text = linecache.getline(file, place.line).strip()[:_MOST_TEXT] if place.own else ""
    return {**place._asdict(), "text": text}


def line(content: Account) -> bytes:
    """For a file of JSON lines."""
    return _to_json(content).encode() + b"\n"


def fitting(content: Account, most_bytes: int) -> Account:
    """``content`` with its lists cut from behind until it finds room in a note of so many bytes."""
    size = len(_to_json(content))
    while size > most_bytes:
        lists = [one for one in _lists(content) if one]
        if not lists:
            break
        max(lists, key=lambda one: len(_to_json(one))).pop()
        content["cut"] = True
        size = len(_to_json(content))
    return content


def _lists(value: object) -> Iterator[list[Any]]:
    if isinstance(value, list):
        yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from _lists(child)
