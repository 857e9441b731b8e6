"""One WebSocket connection, as its messages pass.

Recorded once, when the app returns or raises: from the handshake to the close, with the close code
that ended it, or ``refused`` for a handshake that was answered by HTTP instead: by a response of the
app's, or by the server where the app closes what it has not accepted, fails, or says nothing.

Messages are counted as they pass, because a connection may last for days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stethoscope import names
from stethoscope.asgi import Message, Receive, Scope, Send, own_path
from stethoscope.current import Current
from stethoscope.error_type import error_type
from stethoscope.middleware import exchange
from stethoscope.middleware.caught import take_caught
from stethoscope.middleware.correlation import correlation_id
from stethoscope.middleware.routes import name_noted, name_route, route_in_scopes
from stethoscope.names import UNMATCHED_ROUTE
from stethoscope.store.recorder import Recorder

if TYPE_CHECKING:
    from stethoscope.middleware.layer import Layer
    from stethoscope.store.series import Scalar

_NO_CLOSE_FRAME = 1006
_REFUSED = "refused"


class Conversation(Current):
    """State of one connection. Passes every message on as it is."""

    __slots__ = (
        "_accepted",
        "_close_code",
        "_counters",
        "_layer",
        "_measured",
        "_receive",
        "_scheme",
        "_send",
        "disconnected",
    )

    def __init__(self, layer: Layer, scope: Scope, receive: Receive, send: Send) -> None:
        self.started = exchange.clock()
        self._layer = layer
        self.scope = scope
        self._receive = receive
        self._send = send
        self.id = correlation_id(scope["headers"])
        self.route = self.shares = self.carried = self.trace = self.token = None
        self.disconnected = self.over = self.counted = self._accepted = False
        self._close_code = ""
        self._counters: dict[tuple[str, str], tuple[Scalar, ...]] = {}
        self._scheme = "wss" if scope.get("scheme") == "wss" else "ws"
        self._measured = layer.exclusions is None or not layer.exclusions.cover(own_path(scope))
        if self._measured:
            layer.recorder.gauge(names.ACTIVE_WEBSOCKETS, (self._scheme,)).add(1.0)

    async def receive(self) -> Message:
        message = await self._receive()
        try:
            if message["type"] == "websocket.receive":
                self._passed("receive", message)
            elif message["type"] == "websocket.disconnect":
                self.disconnected = True
                self._close_code = self._close_code or peer_code(message.get("code"))
        except Exception as error:
            self._layer.failed(error)
        return message

    async def send(self, message: Message) -> Any:
        answer = await self._send(message)
        try:
            kind = message["type"]
            if kind == "websocket.send":
                self._passed("send", message)
            elif kind == "websocket.accept":
                self._accepted = True
            elif kind == "websocket.close":
                code = str(message.get("code") or 1000) if self._accepted else _REFUSED
                self._close_code = self._close_code or code
            elif kind == "websocket.http.response.start":
                self._close_code = _REFUSED
        except Exception as error:
            self._layer.failed(error)
        return answer

    def _passed(self, direction: str, message: Message) -> None:
        """A message has passed, which there is only after the handshake: the route is known, or there is none."""
        self.route = self.route or name_route(self.scope) or name_noted(self)
        labels = (self.route or UNMATCHED_ROUTE, direction)
        counters = self._counters.get(labels)
        if counters is None:
            counters = self._counters[labels] = self._find_counters(labels)
        for counter, amount in zip(counters, (1.0, payload_bytes(message)), strict=False):
            counter.add(amount)

    def _find_counters(self, labels: tuple[str, str]) -> tuple[Scalar, ...]:
        """Of messages and of their bytes; none for what is not measured."""
        if not self._measured or self._is_excluded(labels[0]):
            return ()
        return tuple(
            self._layer.recorder.counter(metric, labels) for metric in (names.WEBSOCKET_MESSAGES, names.WEBSOCKET_BYTES)
        )

    def _is_excluded(self, route: str) -> bool:
        exclusions = self._layer.exclusions
        return exclusions is not None and exclusions.cover(route)

    def route_by_now(self) -> str:
        return self.route or route_in_scopes(self)

    def close(self, error: BaseException | None) -> None:
        """The app has returned, or raised ``error``."""
        self.over = True
        take_caught(self)
        if self._measured:
            try:
                self._record(self._layer.recorder, error_type(error) if error else "")
            except Exception as failure:
                self._layer.failed(failure)

    def _record(self, recorder: Recorder, error: str) -> None:
        recorder.gauge(names.ACTIVE_WEBSOCKETS, (self._scheme,)).add(-1.0)
        route = self.route or name_route(self.scope) or name_noted(self) or UNMATCHED_ROUTE
        if self._is_excluded(route):
            return
        seconds = exchange.clock() - self.started
        is_open = self._accepted or self.disconnected
        code = self._close_code or (str(_NO_CLOSE_FRAME) if is_open else _REFUSED)
        if not (error or is_open or self._close_code):
            error = "incomplete_response"
        recorder.histogram(names.WEBSOCKET_DURATION, (route, self._scheme, error, code)).record(seconds)


def peer_code(code: int | None) -> str:
    """A close code that the other side has chosen, as a label: the registered ones (RFC 6455, section 7.4.1), else its range."""
    if not code:
        return str(_NO_CLOSE_FRAME)
    return str(code) if 1000 <= code <= 1015 else f"{code // 1000}xxx" if 3000 <= code <= 4999 else "other"


def payload_bytes(message: Message) -> int:
    """Bytes of a message's payload: UTF-8 for text."""
    data = message.get("bytes")
    return len(data) if data is not None else len((message.get("text") or "").encode("utf-8", "surrogatepass"))
