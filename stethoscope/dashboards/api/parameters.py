"""What may be in a query: names, types and bounds. A mistake says what was expected and what came."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl

from stethoscope.dashboards.documents.window import WINDOWS

Value = str | int | float | None
_MOST_FIELDS: Final = 20
_MOST_DIGITS: Final = 15


class BadQuery(ValueError):
    """The text is for whoever sent the query."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field of a query. Numbers are between ``low`` and ``high``; texts are one of ``choices``, if there are any."""

    name: str
    type: Literal["string", "integer", "number"]
    description: str
    default: Value = None
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    required: bool = False

    def read(self, text: str) -> Value:
        """Raises `BadQuery`."""
        value = _READERS[self.type](text)
        fits = self.low <= value <= self.high if isinstance(value, int | float) else value is not None
        if not fits or (self.choices and value not in self.choices):
            raise BadQuery(f"{self.name}={text[:100]!r} is not valid: expected {self.expected}")
        return value

    @property
    def expected(self) -> str:
        """What is accepted, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.type == "string":
            return "a text"
        kind = "a whole number" if self.type == "integer" else "a number"
        bounds = [f"from {self.low:g}"] if math.isfinite(self.low) else []
        bounds += [f"to {self.high:g}"] if math.isfinite(self.high) else []
        return " ".join([kind, *bounds])


def read_query(query: bytes, parameters: Iterable[Parameter]) -> dict[str, Value]:
    """The values by name, defaults included. Raises `BadQuery`."""
    by_name = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Value] = {name: parameter.default for name, parameter in by_name.items()}
    given = _fields(query, by_name)
    for name, text in given.items():
        values[name] = by_name[name].read(text)
    missing = [name for name, parameter in by_name.items() if parameter.required and name not in given]
    if missing:
        raise BadQuery(f"missing in the query: {', '.join(missing)}")
    return values


def _fields(query: bytes, known: Mapping[str, Parameter]) -> dict[str, str]:
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise BadQuery(
            f"the query cannot be read: expected at most {_MOST_FIELDS} fields, percent-encoded UTF-8"
        ) from None
    fields: dict[str, str] = {}
    for name, text in pairs:
        if name not in known:
            accepted = ", ".join(known) or "no fields at all"
            raise BadQuery(f"{name[:100]!r} is not known here: expected {accepted}")
        if name in fields:
            raise BadQuery(f"{name} is there twice: expected it once")
        fields[name] = text
    return fields


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?[0-9]+", text) and len(text) <= _MOST_DIGITS else None


def _number(text: str) -> float | None:
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?", text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


_READERS: Final[Mapping[str, Callable[[str], Value]]] = {"string": str, "integer": _integer, "number": _number}

WINDOW: Final = Parameter(
    "window",
    "string",
    "What the numbers cover: the last 1, 5 or 15 minutes, or all since the beginning or the last reset.",
    "5m",
    choices=WINDOWS,
)
LIMIT: Final = Parameter("limit", "integer", "How many at most.", 10, 1, 1000)
PAGE_LIMIT: Final = Parameter("limit", "integer", "How many at most on this page.", 100, 1, 1000)
OFFSET: Final = Parameter("offset", "integer", "How many to leave out before the first.", 0, 0, 1_000_000)
VIEW: Final = Parameter(
    "view",
    "string",
    "Which document is sent with each event.",
    "overview",
    choices=("overview", "endpoints", "database", "requests", "system"),
)
