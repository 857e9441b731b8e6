"""One HTTP request and its response, as they pass.

What is noted when, each exactly once:

  arrival         start of the clock; one more active request
  first start     status; first byte; headers are added, on a copied message
  last body       end of the clock (after it was sent); one active request fewer; recorded
                  (last body, last trailers where trailers were announced, pathsend, last zerocopysend)
  5xx             recorded when the app returns, because the exception behind it comes out only then, or was noted by
                  the adapter of a framework that lets none out (`stethoscope.middleware.caught`)
  app returns     recorded now if the response is not complete; else what it did after the response
                  is background work, recorded on its own when it took above 1 ms or failed

Observers (`stethoscope.middleware.observer`) are told of the arrival, of the record, and of the app's return.

Every message goes on at once, the same object except for the first start. No tasks, no queues, no
messages of our own, nothing of asyncio: it works on any event loop. Whatever fails in here is caught
at the border to the app's own messages, counted and logged once.

The way of a plain request through here is the hottest code of the package. Where the package was built with
a compiler, ``_hot.c`` has `__init__`, `_before`, `_after` and what they call once more, for the plain case: what is
changed here is changed there (`stethoscope.hot`). `send` itself stays a coroutine function, because apps and frameworks
look at that. Measure before changing it: ``python -m benchmarks inprocess``.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from stethoscope import hot
from stethoscope.asgi import Message, Receive, Scope, Send, own_path
from stethoscope.current import CURRENT, Current
from stethoscope.error_type import error_type
from stethoscope.middleware.caught import take_caught
from stethoscope.middleware.correlation import correlation_id, fresh_ids
from stethoscope.middleware.leaving import follows_from_leaving, says_left
from stethoscope.middleware.routes import name_noted, name_route, route_in_scopes
from stethoscope.middleware.timing import REMEMBERED, Header
from stethoscope.names import UNMATCHED_ROUTE

if TYPE_CHECKING:
    from stethoscope.middleware.layer import Layer

clock = perf_counter
"""Seconds, monotonic. Replaced by tests."""

_BACKGROUND_FROM: Final = 0.001
_OURS: Final = frozenset((b"x-request-id", b"x-response-time", b"x-process-time"))
_MOST_OTHERS: Final = 1000
_others: Final[set[bytes]] = set()
"""Names of response headers that were looked at and are none of ours. Apps send the same ones again and again."""


@hot.quicken
class Exchange(hot.Exchange, Current):
    """State of one request. In the context variable until the app returns."""

    __slots__ = ()

    status: int
    """What was sent, 0 before."""
    received: int
    """Bytes of the request's body that the app has read."""
    sent: int
    """Bytes of the response's body that have passed."""
    first_byte: float
    """When the response started, on the clock of ``started``."""
    ended: float
    """When the response was complete, 0.0 before."""
    error: str
    """`error.type` of a recorded request, empty where all went well."""
    excluded: bool
    """Whether ``exclude`` covers the path: then it is not recorded."""
    _recorded: bool
    """Whether nothing is left to record: it is recorded, or excluded."""
    _last: bool
    """Whether the last message of the response is on its way, or has been sent."""
    _parts: int
    """Messages of the body that said there was more to come."""
    _trailers: bool
    """Whether the response announced trailers, with which it ends."""
    _headers: Any
    """The response's headers, as the app gave them."""

    def __init__(self, layer: Layer, scope: Scope, receive: Receive, send: Send) -> None:
        self.started = clock()
        self._layer = layer
        self.scope = scope
        self._receive = receive
        self._send = send
        self.id = correlation_id(scope["headers"])
        self.route = self.shares = self.carried = self.trace = self.token = None
        self.disconnected = self._trailers = self._last = self._recorded = self.over = self.counted = False
        self.status = self.received = self.sent = self._parts = 0
        self.first_byte = self.ended = 0.0
        self.error = ""
        try:
            self._inlet = inlet = layer.inlets[scope["method"], scope["scheme"]]
        except KeyError:
            self._inlet = inlet = layer.inlets.find(scope["method"], scope.get("scheme", "http"))
        # Remembered, because mounts change the scope's root path.
        self.excluded = self._recorded = layer.exclusions is not None and layer.exclusions.cover(own_path(scope))
        if not self._recorded:
            active = inlet.active
            if active.word:
                active.words[active.word] += 1.0
            else:
                active.add(1.0)

    async def receive(self) -> Message:
        message = await self._receive()
        try:
            if message["type"] == "http.request":
                self.received += len(message.get("body") or b"")
            elif message["type"] == "http.disconnect" and not self._last and not self.ended:
                self.disconnected = True
        except Exception as error:
            self._layer.failed(error)
        return message

    async def send(self, message: Message) -> Any:
        """Returns what the server's ``send`` returns."""
        status = self.status
        message = self._before(message)
        try:
            answer = await self._send(message)
        except BaseException as error:
            self._not_sent(error, first=not status)
            raise
        self._after(message)
        return answer

    def _before(self, message: Message) -> Message:
        """What goes on in the place of a message."""
        try:
            kind = message["type"]
            if kind == "http.response.body":
                if not message.get("more_body"):
                    self._last = not self._trailers
            elif kind == "http.response.start" and not self.status:
                return self._start(message)
        except Exception as error:
            self._layer.failed(error)
        return message

    def _after(self, message: Message) -> None:
        """The message has been sent."""
        try:
            kind = message["type"]
            if kind == "http.response.body":
                if body := message.get("body"):
                    self.sent += len(body)
                if message.get("more_body"):
                    self._parts += 1
                elif self._last:
                    self._end()
            elif kind != "http.response.start" and self._is_last(kind, message):
                self._end()
        except Exception as error:
            self._layer.failed(error)

    def _start(self, message: Message) -> Message:
        self.first_byte = now = clock()
        self.status = message["status"]
        self._headers = headers = message.get("headers", ())
        if "trailers" in message:
            self._trailers = bool(message["trailers"])
        layer = self._layer
        if not layer.adds_headers:
            return message
        microseconds = int((now - self.started) * 1e6)
        if self.shares is None and microseconds < REMEMBERED:
            added = layer.timing.remembered[microseconds] or layer.timing.render(microseconds)
        else:
            added = layer.timing.render(microseconds, self.shares)
        self._headers = given = [*headers]  # which may be gone after one reading
        for name, _ in given:
            if name not in _others and _is_ours(name):
                given, added = _without_doubles(given, added, layer.sends_id)
                break
        if layer.sends_id:
            given.append((b"x-request-id", self.id))
        given += added
        if layer.more_headers is not None:
            given += layer.more_headers(self)
        changed: Message = message.copy()  # type: ignore[attr-defined]  # a dict, says the specification
        changed["headers"] = given
        return changed

    def _not_sent(self, error: BaseException, *, first: bool) -> None:
        """The server's ``send`` has raised. ``first``: of a start that it did not take the next one is the first."""
        try:
            if first:
                self.status = 0
                self.first_byte = 0.0
                self._trailers = False
            # But not where it was cancelled: hypercorn does that with the response under way.
            if isinstance(error, Exception) and not self.ended:
                self._last = False
                self.disconnected = self.disconnected or (isinstance(error, OSError) and says_left(error))
        except Exception as failure:
            self._layer.failed(failure)

    def _is_last(self, kind: str, message: Message) -> bool:
        """Response extensions of the ASGI specification; anything unknown means nothing to us."""
        if kind == "http.response.trailers":
            return not message.get("more_trailers")
        if kind == "http.response.zerocopysend":
            count = message.get("count")  # without one the file is sent to its end
            self.sent += max(0, content_length(self._headers) - self.sent) if count is None else count
            return not message.get("more_body") and not self._trailers
        if kind == "http.response.pathsend":
            self.sent += content_length(self._headers)
            return not self._trailers
        return False

    def _end(self) -> None:
        """The response is complete."""
        if not self.ended:
            self.ended = clock()
            if self.status < 500 and not self._recorded:
                self._record("client_disconnect" if self.disconnected else "")

    def close(self, error: BaseException | None) -> None:
        """The app has returned, or raised ``error``."""
        self.over = True
        try:
            caught = take_caught(self) if self.carried else None
            if not self._recorded:
                exception = error if error is not None or self.status < 500 else caught
                self._record(self._error_type(exception), exception)
            if self.ended:
                background = clock() - self.ended
                if background > _BACKGROUND_FROM or (error is not None and self.status < 500):
                    self._record_background(background, error)
        except Exception as failure:
            self._layer.failed(failure)

    def _error_type(self, error: BaseException | None) -> str:
        if self.disconnected and (error is None or follows_from_leaving(error)):
            return "client_disconnect"
        if error is not None:
            return error_type(error)
        if not self._last and not self.ended:
            return "incomplete_response"
        return str(self.status) if self.status >= 500 else ""

    def _record(self, error: str, exception: BaseException | None = None) -> None:
        self._recorded = True
        inlet = self._inlet
        active = inlet.active
        if active.word:
            active.words[active.word] -= 1.0
        else:
            active.add(-1.0)
        self.route = route = self.route or name_route(self.scope) or name_noted(self) or UNMATCHED_ROUTE
        if self._layer.exclusions is not None and self._layer.exclusions.cover(route):
            return
        seconds = (self.ended or clock()) - self.started
        status = self.status or (0 if self.disconnected else _unsent_status(error))
        try:
            outcome = inlet.outcomes[route, status, error]
        except KeyError:
            outcome = inlet.add_outcome(route, status, error)
        outcome.record(seconds, self.received, self.sent if inlet.sends_body else 0)
        if self._parts:
            inlet.first_byte(route).record(self.first_byte - self.started)
        self.counted = True
        if self._layer.tell_of_record:
            self.error = error
            self._layer.tell_ended(self, status, seconds, exception)

    def route_by_now(self) -> str:
        return self.route or route_in_scopes(self)

    def labels(self, status: int) -> tuple[str, ...]:
        """The label values under which a recorded request was counted; ``status`` as observers were told it."""
        return self._inlet.labels(self.route or UNMATCHED_ROUTE, status, self.error)

    def _record_background(self, seconds: float, error: BaseException | None) -> None:
        route = self.route or name_route(self.scope) or name_noted(self) or UNMATCHED_ROUTE
        exclusions = self._layer.exclusions
        if not self.excluded and (exclusions is None or not exclusions.cover(route)):
            self._inlet.background(route, error_type(error) if error else "").record(seconds)


def _unsent_status(error: str) -> int:
    """What the client is told when the app has not started a response: servers answer 500, unless nobody listens."""
    return 0 if error == "cancelled" else 500


def _is_ours(name: bytes) -> bool:
    """Whether a header of this name, in any letter case, must come once; remembers those that need not."""
    if name.lower() in _OURS:
        return True
    if len(_others) < _MOST_OTHERS:
        _others.add(name)
    return False


def _without_doubles(
    headers: list[Header], added: tuple[Header, ...], sends_id: bool
) -> tuple[list[Header], tuple[Header, ...]]:
    """One header of each name: our correlation ID goes before the app's, the app's own times before ours."""
    present = {name.lower() for name, _ in headers}
    if sends_id:
        headers = [header for header in headers if header[0].lower() != b"x-request-id"]
    return headers, tuple(header for header in added if header[0] == b"server-timing" or header[0] not in present)


def content_length(headers: object) -> int:
    """Bytes of a body that passes outside our sight, as its header has it; 0 where it has none."""
    if isinstance(headers, list | tuple):
        for name, value in headers:
            if name.lower() == b"content-length" and value.isdigit():
                return int(value)
    return 0


hot.observe(globals(), fresh_ids, CURRENT)
