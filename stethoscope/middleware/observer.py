"""Who else is told of every request: what tracing, database work and followed requests have in common.

    arrival   `started`, in the request's own context: context variables that are set here are seen by the app
    record    `ended`, once, right after the request was counted; not for what ``exclude`` leaves out
    return    `left`, once, after the app has returned or raised, in the context of `started`

An app that goes on after its response was complete (background tasks) makes time between the last two; a 5xx
is recorded when the app returns, because the exception behind it comes out only then.

Called on the event loop, for each request: be quick, wait for nothing. Whatever an observer raises is counted
and logged once, and neither the app nor other observers notice. State of one request goes into
``exchange.carried`` under the observer's own name, never onto the observer.

Most observers do something about few requests. They say about which (`Selection`), and cost the
others nothing: whether a request is one of them is found out in compiled code (`stethoscope.hot`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from stethoscope import hot

if TYPE_CHECKING:
    from stethoscope.middleware.exchange import Exchange


class Observer(Protocol):
    """One that is told of every request. Subclasses override what is of interest; what may not import this need not be one."""

    __slots__ = ()

    def started(self, exchange: Exchange) -> None:
        """``exchange.id``, ``scope`` and ``started`` are set."""
        return

    def ended(self, exchange: Exchange, status: int, seconds: float, exception: BaseException | None) -> None:
        """The request was recorded so: all of ``exchange`` is known.

        ``status`` is what the client was sent or told, 0 for nothing; ``exception`` what the app raised, if
        that is known by now; ``exchange.error`` says what went wrong in any case.
        """
        return

    def left(self, exchange: Exchange) -> None:
        """The app is through with the request."""
        return


class Bar(hot.Bar):
    """What a request of a route must be above for an observer to be told. To be changed at any time."""

    __slots__ = ()

    seconds: float
    """Who took longer is above it."""
    until: float
    """Who is over at this time of the clock, or later, is above it, however quick it was."""

    def __init__(self, seconds: float, until: float) -> None:
        self.seconds = seconds
        self.until = until


class Selection:
    """What an observer may have attributes of, each left out where this one is right: which requests it is told of."""

    started_with: ClassVar[tuple[bytes, ...]] = ()
    """`started` is for requests that have a header of one of these names, in lower case; for all if there are none."""
    ended_carrying: ClassVar[str | None] = None
    """`ended` is for requests that carry something under this name; for all if it is None."""
    ended_above: Mapping[str, Bar] | None = None
    """`ended` is for requests that failed, or are above the bar of their route, or whose route has none; for all if it is None."""
    left_carrying: ClassVar[str | None] = None
    """`left` is for requests that carry something under this name; for all if it is None."""


def overrides(observer: Observer, method: str) -> bool:
    """Whether an observer does something of its own when it is told so."""
    return getattr(type(observer), method) is not getattr(Observer, method)


def wanted(observer: Observer, name: str) -> Any:
    """An observer's attribute of `Selection`."""
    return getattr(observer, name, getattr(Selection, name))


class Announcer(Observer):
    """Has ``announce`` called when a request arrives, and nothing else, for who may not import this; without a call in between."""

    __slots__ = ("_announce",)

    def __init__(self, announce: Callable[[Exchange], None]) -> None:
        self._announce = announce

    @property
    def started(self) -> Callable[[Exchange], None]:  # called as the method is
        return self._announce
