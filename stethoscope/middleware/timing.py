"""The response headers that say how long a request took."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from stethoscope.current import MOST_SHARES, Share

Header = tuple[bytes, bytes]

_MOST_BYTES: Final = 1024
_NOT_TOKEN: Final = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]")
_ELSEWHERE: Final = ("x-request-id", "traceresponse")
REMEMBERED: Final = 1024
"""Microseconds below which headers are remembered."""


class TimingHeaders:
    """Renders the timing headers that are switched on, the same for all requests of an app.

    Times below 1 ms are rendered once for each microsecond and remembered (at most 1,024 of them),
    because it is for the fastest responses that the cost of formatting shows.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(name for name in names if name not in _ELSEWHERE)
        self.remembered: list[tuple[Header, ...] | None] = [None] * REMEMBERED

    def render(self, microseconds: int, shares: Mapping[str, Share] | None = None) -> tuple[Header, ...]:
        """Headers for a response that starts after so many microseconds, 0 or more."""
        headers = self._render(microseconds, shares or {})
        if not shares and microseconds < REMEMBERED:
            self.remembered[microseconds] = headers
        return headers

    def _render(self, microseconds: int, shares: Mapping[str, Share]) -> tuple[Header, ...]:
        milliseconds = b"%d.%03d" % divmod(microseconds, 1000)
        values = {
            "x-response-time": milliseconds + b"ms",
            "x-process-time": b"%d.%06d" % divmod(microseconds, 1_000_000),
            "server-timing": server_timing(milliseconds, shares),
        }
        return tuple((name.encode(), values[name]) for name in self._names)


def server_timing(milliseconds: bytes, shares: Mapping[str, Share]) -> bytes:
    """A Server-Timing value (W3C Server Timing, section 4): valid tokens, at most 16 entries and 1 kB."""
    entries = [b"app;dur=" + milliseconds]
    length = len(entries[0])
    for name, share in list(shares.items())[:MOST_SHARES]:
        entry = _entry(name, share)
        length += len(entry) + 2
        if length > _MOST_BYTES:
            break
        entries.append(entry)
    return b", ".join(entries)


def _entry(name: str, share: Share) -> bytes:
    token = _NOT_TOKEN.sub("_", name)[:64] or "_"
    seconds, pieces = share.so_far()
    text = f"{token};dur={seconds * 1000:.3f}"
    return (f'{text};desc="{pieces} {share.noun}"' if pieces > 1 else text).encode()
