"""The response headers that say how long a request took."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from stethoscope import hot
from stethoscope.current import MOST_SHARES, Share

Header = tuple[bytes, bytes]

_MOST_BYTES: Final = 1024
_NOT_TOKEN: Final = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]")
_ELSEWHERE: Final = ("x-request-id", "traceresponse")
REMEMBERED: Final = 1024
"""Microseconds below which headers are remembered."""


Form = tuple[bytes, bytes, int, bytes]
"""A header's name, what stands before its time, the digits behind the point (3 of milliseconds, 6 of seconds), its unit."""

_FORMS: Final[Mapping[str, Form]] = {
    "x-response-time": (b"x-response-time", b"", 3, b"ms"),
    "x-process-time": (b"x-process-time", b"", 6, b""),
    "server-timing": (b"server-timing", b"app;dur=", 3, b""),
}


class TimingHeaders(hot.TimingHeaders):
    """Renders the timing headers that are switched on, the same for all requests of an app.

    Times below 1 ms are rendered once for each microsecond and remembered (at most 1,024 of them),
    because it is for the fastest responses that the cost of formatting shows. ``_hot.c`` renders the ``forms`` of longer ones.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.forms: tuple[Form, ...] = tuple(_FORMS[name] for name in names if name not in _ELSEWHERE)
        self.remembered: list[tuple[Header, ...] | None] = [None] * REMEMBERED

    def render(self, microseconds: int, shares: Mapping[str, Share] | None = None) -> tuple[Header, ...]:
        """Headers for a response that starts after so many microseconds, 0 or more."""
        headers = tuple((form[0], _value(form, microseconds)) for form in self.forms)
        if microseconds < REMEMBERED:
            self.remembered[microseconds] = headers
        return self.shared(headers, shares) if shares else headers

    def shared(self, headers: tuple[Header, ...], shares: Mapping[str, Share]) -> tuple[Header, ...]:
        """Rendered headers, with what took a share of the time."""
        return tuple(
            (name, with_shares(value, shares) if name == b"server-timing" else value) for name, value in headers
        )


def _value(form: Form, microseconds: int) -> bytes:
    _, before, digits, unit = form
    whole, rest = divmod(microseconds, 10**digits)
    return b"%b%d.%0*d%b" % (before, whole, digits, rest, unit)


def with_shares(whole: bytes, shares: Mapping[str, Share]) -> bytes:
    """A Server-Timing value (W3C Server Timing, section 4): valid tokens, at most 16 entries and 1 kB."""
    entries, length = [whole], len(whole)
    for name, share in list(shares.items())[:MOST_SHARES]:  # other threads may add some
        entry = _entry(name, share)
        length += len(entry) + 2
        if length > _MOST_BYTES:
            break
        entries.append(entry)
    return b", ".join(entries)


def _entry(name: str, share: Share) -> bytes:
    # What is an identifier is a token too, which is quickly seen.
    token = (name if name.isascii() and name.isidentifier() else _NOT_TOKEN.sub("_", name) or "_")[:64]
    seconds, pieces = share.so_far()
    text = f"{token};dur={seconds * 1000:.3f}"
    return (f'{text};desc="{pieces} {share.noun}"' if pieces > 1 else text).encode()
