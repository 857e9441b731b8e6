"""Correlation IDs: which ID a request goes by."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final

_CARRIERS: Final = frozenset((b"x-request-id", b"x-correlation-id", b"traceparent"))
_ACCEPTED: Final = re.compile(rb"[A-Za-z0-9._~:/+=@-]{1,128}")
# W3C Trace Context, level 2, section 3.2: version, trace ID, parent ID, flags. Version 00 ends here.
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.DOTALL
)

_BATCH: Final = 256

fresh_ids: Final[list[bytes]] = []
"""Made and not yet used."""


def new_id() -> bytes:
    """128 random bits as 32 hexadecimal digits: also a valid W3C trace ID. Any thread.

    They are made 256 at a time, so that most requests only take one from a list.
    """
    try:
        return fresh_ids.pop()
    except IndexError:
        digits = os.urandom(16 * _BATCH).hex().encode()
        made = [digits[start : start + 32] for start in range(0, len(digits), 32)]
        one = made.pop()
        fresh_ids.extend(made)
        return one


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=fresh_ids.clear)


def correlation_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The ID to use for a request with these headers: accepted from the first that carries one, else new.

    X-Request-ID goes before X-Correlation-ID, and that before the trace ID of a valid traceparent.
    An ID is accepted only as it is: 1–128 characters of ``A–Z a–z 0–9 . _ ~ : / + = @ -``.
    """
    # Anything else might be gone after one reading, and is the app's.
    if type(headers) is list or isinstance(headers, (list, tuple)):
        for name, _ in headers:
            if name in _CARRIERS:
                return _accepted(headers) or new_id()
    try:
        return fresh_ids.pop()
    except IndexError:
        return new_id()


def _accepted(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    # Reversed, so that the first of several headers with one name is the one that stays.
    carried = {name: value for name, value in reversed(list(headers)) if name in _CARRIERS}
    for name in (b"x-request-id", b"x-correlation-id"):
        if _ACCEPTED.fullmatch(carried.get(name, b"")):
            return carried[name]
    return trace_id_of(headers)


def trace_id_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The trace ID of the valid traceparent among headers that can be read again; None where there is none."""
    if not isinstance(headers, (list, tuple)):
        return None
    # Of several traceparents none is valid, as the conformance tests of Trace Context have it.
    parents = [value for name, value in headers if name == b"traceparent"]
    return _trace_id(parents[0].strip(b" \t")) if len(parents) == 1 else None


def _trace_id(traceparent: bytes) -> bytes | None:
    found = _TRACEPARENT.fullmatch(traceparent[:512])
    if found is None or (found[1] == b"00" and found[3]):
        return None
    return found[2]
