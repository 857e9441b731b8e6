"""The ASGI callable around an app: decides by scope type who watches.

``_hot.c`` has `_enter`, `_leave` and what they and `tell_ended` do to tell observers once more, for plain requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Token
from time import monotonic
from typing import Any, Final, Protocol

from stethoscope import hot
from stethoscope.asgi import ASGIApp, Receive, Scope, Send, own_path
from stethoscope.current import CURRENT, Current
from stethoscope.middleware.exchange import Exchange
from stethoscope.middleware.inlet import Inlets
from stethoscope.middleware.lifespan import before_the_end
from stethoscope.middleware.observer import Bar, Observer, overrides, wanted
from stethoscope.middleware.timing import Header, TimingHeaders
from stethoscope.middleware.websocket import Conversation
from stethoscope.settings import Settings
from stethoscope.store.recorder import Recorder

_MOST_FAILURES: Final = 1000
_MINUTE: Final = 60.0
_WATCHED: Final = frozenset(("http", "websocket"))


class OwnEndpoints(Protocol):
    """What answers in place of the app."""

    def serves(self, path: str) -> bool: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


@hot.quicken
class Layer(hot.Layer):
    """Watches ``app``. Any number of requests at once, on any event loop; one object can serve in several threads."""

    def __init__(
        self,
        app: ASGIApp,
        recorder: Recorder,
        settings: Settings,
        endpoints: OwnEndpoints | None = None,
        observers: Sequence[Observer] = (),
        at_end: Callable[[], None] | None = None,
    ) -> None:
        """``at_end`` is called in a thread when the app has shut down, before the server is told of it."""
        self.app = app
        self.recorder = recorder
        self.endpoints = endpoints
        self.inlets = Inlets(recorder)
        self.exclusions = Exclusions(settings.exclude) if settings.exclude else None
        self.failures = 0
        self._minute_ends = 0.0
        self.sends_id = "x-request-id" in settings.headers
        self.adds_headers = bool(settings.headers)
        self.timing = TimingHeaders(settings.headers)
        self.appoint(observers)
        self.more_headers: Callable[[Exchange], Sequence[Header]] | None = None
        """What else a response carries, asked when it starts; not where ``headers`` is empty."""
        self._at_end = at_end

    def appoint(self, observers: Iterable[Observer]) -> None:
        """Tell these observers, and nobody else, from now on and of requests under way."""
        self.observers = tuple(observers)
        # Each is called only for what it does something about: a call that does nothing takes as long as most that do.
        self.tell_of_arrival = tuple(
            (one.started, tuple(wanted(one, "started_with"))) for one in self.observers if overrides(one, "started")
        )
        self.tell_of_record = tuple(
            (one.ended, wanted(one, "ended_carrying"), wanted(one, "ended_above"))
            for one in self.observers
            if overrides(one, "ended")
        )
        # The other way round than at the start, so that what one has put around the other comes off in order.
        self.tell_of_return = tuple(
            (one.left, wanted(one, "left_carrying")) for one in reversed(self.observers) if overrides(one, "left")
        )

    def observe(self, observer: Observer) -> None:
        """Tell ``observer`` too, from the next request on. Asking twice is asking once."""
        if observer not in self.observers:
            self.appoint((*self.observers, observer))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        watched = self._enter(scope, receive, send)
        if watched is None:
            return await self._pass_by(scope, receive, send)
        try:
            # The app's return value is passed on, because servers look at it.
            answer = await self.app(scope, watched.receive, watched.send)
        except BaseException as error:
            self._leave(watched, error)
            raise
        self._leave(watched, None)
        return answer

    def _enter(self, scope: Scope, receive: Receive, send: Send) -> Exchange | Conversation | None:
        """Begin to watch a request or a connection. None: it is not watched."""
        kind = scope.get("type")
        if kind not in _WATCHED or self._is_watched_already(scope, receive) or self._is_for_us(scope):
            return None
        if self.failures and self._steps_aside():
            return None
        try:
            watched = (
                Exchange(self, scope, receive, send) if kind == "http" else Conversation(self, scope, receive, send)
            )
        except Exception as error:
            self.failed(error)
            return None
        # Set always, never only if unset: uvicorn runs requests of one connection in one context.
        watched.token = CURRENT.set(watched)
        if self.tell_of_arrival and isinstance(watched, Exchange):
            self._tell_started(watched)
        return watched

    async def _pass_by(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """What is not watched."""
        kind = scope.get("type")
        if kind == "lifespan" and self._at_end is not None:
            send = before_the_end(send, self._at_end, self.failed)
        elif kind in _WATCHED and self._is_for_us(scope) and not self._is_watched_already(scope, receive):
            assert self.endpoints is not None
            return await self.endpoints(scope, receive, send)
        return await self.app(scope, receive, send)

    def _leave(self, watched: Exchange | Conversation, error: BaseException | None) -> None:
        """The app has returned, or raised ``error``."""
        try:
            watched.close(error)
        finally:
            if self.tell_of_return and isinstance(watched, Exchange):
                self._tell_left(watched)
            token, watched.token = watched.token, None
            if token is not None:
                _put_back(token)

    def _is_watched_already(self, scope: Scope, receive: Receive) -> bool:
        """Whether a call belongs to what is watched already, though middlewares in between may have changed its scope."""
        outer = CURRENT.get()
        return outer is not None and (outer.is_for(scope) or getattr(receive, "__self__", None) is outer)

    def _is_for_us(self, scope: Scope) -> bool:
        return self.endpoints is not None and self.endpoints.serves(own_path(scope))

    def replace(self, observer: Observer, by: Observer | None) -> None:
        """Have another observer, or none, in the place of one, from now on and for requests under way."""
        new = () if by is None else (by,)
        self.appoint(one for old in self.observers for one in (new if old is observer else (old,)))

    def _tell_started(self, exchange: Exchange) -> None:
        for tell, names in self.tell_of_arrival:
            try:
                if not names or hot.value_of(exchange.scope["headers"], names) is not None:
                    tell(exchange)
            except Exception as error:
                self.failed(error)

    def tell_ended(self, exchange: Exchange, status: int, seconds: float, exception: BaseException | None) -> None:
        """The exchange was recorded so: each observer is told that wants to know."""
        for tell, name, bars in self.tell_of_record:
            try:
                if _carries(exchange, name) and (bars is None or _is_above(exchange, seconds, bars)):
                    tell(exchange, status, seconds, exception)
            except Exception as error:
                self.failed(error)

    def _tell_left(self, exchange: Exchange) -> None:
        for tell, name in self.tell_of_return:
            try:
                if _carries(exchange, name):
                    tell(exchange)
            except Exception as error:
                self.failed(error)

    def failed(self, error: Exception) -> None:
        """One of our own failures: counted, logged once. A thousand in a minute, and we leave the app alone for one."""
        now = monotonic()
        if now >= self._minute_ends:
            self._minute_ends, self.failures = now + _MINUTE, 0
        self.failures += 1
        self.recorder.failed("middleware", error)
        if self.failures == _MOST_FAILURES:
            try:
                self.recorder.warn_once(
                    "aside", "%d failures within a minute: what comes until it ends is not measured", _MOST_FAILURES
                )
            except Exception:  # a log handler's
                pass

    def _steps_aside(self) -> bool:
        if monotonic() >= self._minute_ends:
            self.failures = 0  # the compiled way is only for when there are none
        return self.failures >= _MOST_FAILURES


def _carries(exchange: Exchange, name: str | None) -> bool:
    return name is None or (exchange.carried is not None and name in exchange.carried)


def _is_above(exchange: Exchange, seconds: float, bars: Mapping[str, Bar]) -> bool:
    """Whether an observer that asks for no others is told of a request, which is recorded and has a route."""
    bar = None if exchange.error else bars.get(exchange.route or "")
    return bar is None or seconds > bar.seconds or exchange.started + seconds >= bar.until


def _put_back(token: Token[Current | None]) -> None:
    """Have `CURRENT` as it was before."""
    try:
        CURRENT.reset(token)
    except ValueError:  # closed as a generator, in another context than the one it ran in
        pass
    outer = token.old_value
    if isinstance(outer, Current) and outer.over:  # it ran in our context too, and has left it before us
        CURRENT.set(None)


class Exclusions:
    """Route templates and path prefixes that are not measured. A prefix is made of whole segments."""

    def __init__(self, prefixes: tuple[str, ...]) -> None:
        self._exact = frozenset(prefix.rstrip("/") for prefix in prefixes)
        self._below = tuple(f"{prefix.rstrip('/')}/" for prefix in prefixes)

    def cover(self, path: str) -> bool:
        """Whether a path, or a route template, is one of them or below one."""
        return path in self._exact or path.startswith(self._below)
