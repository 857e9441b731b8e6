"""Comparable pictures of what passes between a server and an app, types included."""

from __future__ import annotations

import contextvars
import re
from collections.abc import ItemsView, Iterable, Iterator, Mapping
from dataclasses import dataclass

SCALARS = (str, bytes, type(None))

# Event loops name scopes and tasks by address in the message of a cancellation.
ADDRESS = re.compile(r"\b(?:0x)?[0-9a-f]{8,}\b")


@dataclass(frozen=True, slots=True)
class Start:
    """What a server got as `http.response.start`, its headers apart from the rest."""

    mapping: str
    rest: object
    container: str
    headers: tuple[object, ...]


def picture(value: object) -> object:
    """What a server can tell about a value; a one-shot iterable is read, as a server reads it."""
    if isinstance(value, SCALARS) and type(value) in SCALARS:
        return value
    if isinstance(value, (bool, int, float, bytes, bytearray, str)):
        return (type(value).__name__, repr(value))
    if isinstance(value, Mapping):
        return (type(value).__name__, {key: picture(item) for key, item in value.items()})
    if isinstance(value, (list, tuple, ItemsView, Iterator)):
        return (type(value).__name__, *(picture(item) for item in value))
    return (type(value).__name__, id(value))


def message_picture(message: Mapping[str, object]) -> object:
    """The picture of an ASGI message, a response's start with its headers apart."""
    if message.get("type") != "http.response.start":
        return picture(message)
    rest = {key: value for key, value in message.items() if key != "headers"}
    mapping = type(message).__name__
    if "headers" not in message:
        return Start(mapping, picture(rest), "absent", ())
    headers = message["headers"]
    if not isinstance(headers, Iterable):
        return picture(message)
    items = tuple(picture(item) for item in headers)
    return Start(mapping, picture(rest), type(headers).__name__, items)


def error_picture(error: BaseException) -> object:
    """An exception as whoever catches it sees it, its chain and notes with it; not its traceback."""
    chained = (error.__cause__, error.__context__)
    return (
        type(error).__qualname__,
        ADDRESS.sub("…", repr(error.args)),
        tuple(type(link).__qualname__ for link in chained),
        error.__suppress_context__,
        getattr(error, "__notes__", None),
    )


def context_picture() -> dict[str, int]:
    """Which context variables have which value (by identity) here and now."""
    return {variable.name: id(value) for variable, value in contextvars.copy_context().items()}
