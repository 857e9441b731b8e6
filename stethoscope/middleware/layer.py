"""The ASGI callable around an app: decides by scope type who watches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from stethoscope.middleware.exchange import CURRENT, Exchange, Receive, Scope, Send, own_path
from stethoscope.middleware.inlet import Inlets
from stethoscope.middleware.timing import TimingHeaders
from stethoscope.middleware.websocket import Conversation
from stethoscope.settings import Settings
from stethoscope.store.recorder import Recorder

ASGIApp = Callable[[Scope, Receive, Send], Awaitable[Any]]

MARK: Final = "stethoscope"
"""Key in the scope while we watch it, so that a second layer inside steps aside."""

_MOST_FAILURES: Final = 1000
_WATCHED: Final = frozenset(("http", "websocket"))


class OwnEndpoints(Protocol):
    """What answers in place of the app."""

    def serves(self, path: str) -> bool: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class Layer:
    """Watches ``app``. Any number of requests at once, on any event loop; one object can serve in several threads."""

    def __init__(self, app: ASGIApp, recorder: Recorder, settings: Settings, endpoints: OwnEndpoints | None = None) -> None:
        self.app = app
        self.recorder = recorder
        self._endpoints = endpoints
        self.inlets = Inlets(recorder)
        self.excluded = settings.exclude
        self._failures = 0
        self.sends_id = "x-request-id" in settings.headers
        self.adds_headers = bool(settings.headers)
        self.timing = TimingHeaders(settings.headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        kind = scope.get("type")
        if kind not in _WATCHED or MARK in scope or self._failures > _MOST_FAILURES:
            return await self.app(scope, receive, send)
        if self._endpoints is not None and self._endpoints.serves(own_path(scope)):
            return await self._endpoints(scope, receive, send)
        try:
            exchange = Exchange(self, scope, receive, send) if kind == "http" else Conversation(self, scope, receive, send)
        except Exception as error:
            self.failed(error)
            return await self.app(scope, receive, send)
        return await self._watch(exchange, scope)

    async def _watch(self, exchange: Exchange | Conversation, scope: Scope) -> Any:
        scope[MARK] = exchange
        # Set always, never only if unset: uvicorn runs requests of one connection in one context.
        token = CURRENT.set(exchange)
        try:
            # The app's return value is passed on, because servers look at it.
            answer = await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.close(error)
            raise
        else:
            exchange.close(None)
            return answer
        finally:
            scope.pop(MARK, None)
            try:
                CURRENT.reset(token)
            except ValueError:  # closed as a generator, in another context than the one it ran in
                pass

    def is_excluded(self, route: str) -> bool:
        """Whether a route template, or a path, is one that the user does not want measured."""
        return any(route == prefix or route.startswith(prefix.rstrip("/") + "/") for prefix in self.excluded)

    def failed(self, error: Exception) -> None:
        """One of our own failures: counted, logged once. After a thousand of them we leave the app alone."""
        self._failures += 1
        self.recorder.failed("middleware", error)
