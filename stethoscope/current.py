"""What the running code works for: where middleware and instruments meet without knowing each other."""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import FrameType
from typing import ClassVar, Final, Protocol

from stethoscope import hot
from stethoscope.asgi import Scope

MOST_SHARES: Final = 15
"""As many as a Server-Timing header has room for beside the app's own entry."""
_OURS: Final = frozenset(("app", "db", "queue"))
"""Parts that the middleware and instruments tell of."""


class Share:
    """What a named part of a request has taken so far: seconds, and in how many pieces."""

    __slots__ = ("pieces", "seconds")

    noun: ClassVar[str] = "times"
    """What pieces are called."""

    def __init__(self, seconds: float = 0.0, pieces: int = 0) -> None:
        self.seconds = seconds
        self.pieces = pieces

    def add(self, seconds: float) -> None:
        """One more piece."""
        self.seconds += seconds
        self.pieces += 1

    def so_far(self) -> tuple[float, int]:
        """Seconds and pieces."""
        return self.seconds, self.pieces


class Trace(Protocol):
    """The trace that a request is part of."""

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits, whether it is sampled or not; empty where another layer has not begun it yet."""

    @property
    def is_sampled(self) -> bool:
        """Whether the trace's spans are exported."""

    def add_query(
        self, system: str, operation: str, collection: str, text: str, seconds: float, error: str, context: object
    ) -> None:
        """A database operation has just ended in the calling thread. ``text`` is without literals, ``error`` empty if there was none.

        ``context`` is what the library knows the operation by.
        """


class Current(hot.Current):
    """What the running code works for: an HTTP request or a WebSocket connection, each of which is a subclass."""

    __slots__ = ()

    scope: Scope
    """As the server made it."""
    started: float
    """When it arrived: seconds of the monotonic ``perf_counter``."""
    carried: dict[str, object] | None
    """What observers and instruments keep with it, each under its own name. None while there is nothing."""
    counted: bool
    """Whether it is among the numbers by now: what ``exclude`` leaves out never is."""
    id: bytes
    """The correlation ID."""
    route: str | None
    """The route template, where a framework's hook has told it; of a request that is recorded always."""
    shares: dict[str, Share] | None
    token: Token[Current | None] | None
    """What puts `CURRENT` back; None as soon as it has."""
    trace: Trace | None
    """Set by tracing; None where it is off."""
    over: bool
    """Whether the app has returned."""

    def is_for(self, scope: Scope) -> bool:
        """Whether ``scope`` is that of this request or connection, which middleware in between may have copied."""
        headers = scope.get("headers")
        # Of empty tuples there is only one, for all requests.
        return scope is self.scope or (headers is self.scope.get("headers") and headers != ())

    def route_by_now(self) -> str:
        """The route template as far as it can be told, which some frameworks leave to be asked for; empty where it cannot.

        Any thread, and at any time. Raises nothing.
        """
        return self.route or ""

    @property
    def request_id(self) -> str:
        return self.id.decode("ascii")


CURRENT: ContextVar[Current | None] = ContextVar("stethoscope_current", default=None)
"""The request or connection that the running code works for."""


def found_in(frame: FrameType) -> Current | None:
    """The request that a frame of our layer serves: tells from a traceback, or another thread, what code works for."""
    if frame.f_globals.get("__name__") != "stethoscope.middleware.layer" or frame.f_code.co_name != "__call__":
        return None
    found = frame.f_locals.get("watched")  # the name of a variable there
    return found if isinstance(found, Current) else None


def request_id() -> str | None:
    """The correlation ID of the request that the running code works for, or None outside of one.

    Right in tasks, in threads of a framework's thread pool, and wherever else the context is copied.
    """
    current = CURRENT.get()
    return None if current is None else current.request_id


def trace_id() -> str | None:
    """The ID of the trace that the current request is part of, or None outside of a request and without tracing."""
    current = CURRENT.get()
    trace = None if current is None else current.trace
    return None if trace is None else trace.trace_id or None


def add_share(name: str, seconds: float) -> None:
    """Add ``seconds`` to a part of the current request that the app has named. Does nothing outside a request.

    Any thread. A request has at most 15 shares; further names are left out. A name of ours gets an underscore.
    """
    if name in _OURS:
        name += "_"
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
        share = shares[name] = Share()
    share.add(seconds)
