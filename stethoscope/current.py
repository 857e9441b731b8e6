"""What the running code works for: where middleware and instruments meet without knowing each other."""

from __future__ import annotations

from collections.abc import MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Protocol

MOST_SHARES: Final = 15
"""As many as a Server-Timing header has room for beside the app's own entry."""


@dataclass(slots=True)
class Share:
    """What a named part of a request has taken so far: seconds, and in how many pieces."""

    seconds: float = 0.0
    pieces: int = 0


class Current(Protocol):
    """What the running code works for: an HTTP request or a WebSocket connection."""

    id: bytes
    route: str | None
    shares: dict[str, Share] | None
    over: bool
    """Whether the app has returned."""

    @property
    def request_id(self) -> str: ...

    def is_for(self, scope: MutableMapping[str, Any]) -> bool: ...


CURRENT: ContextVar[Current | None] = ContextVar("stethoscope_exchange", default=None)
"""The request or connection that the running code works for."""


def request_id() -> str | None:
    """The correlation ID of the request that the running code works for, or None outside of one.

    Right in tasks, threads of a framework's thread pool, and all else that copies the context.
    """
    exchange = CURRENT.get()
    return None if exchange is None else exchange.request_id


def add_share(name: str, seconds: float) -> None:
    """Say that a part of the current request has taken ``seconds`` more. Outside of a request nothing happens.

    Any thread. A request has at most 15 shares; those with further names are left out.
    """
    current = CURRENT.get()
    if current is None:
        return
    shares = current.shares
    if shares is None:
        shares = current.shares = {}
    share = shares.get(name)
    if share is None:
        if len(shares) >= MOST_SHARES:
            return
        share = shares.setdefault(name, Share())
    share.seconds += seconds
    share.pieces += 1
