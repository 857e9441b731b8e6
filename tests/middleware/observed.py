"""Apps called in this process, and what was recorded of each call."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import stethoscope
from tests.scrape import AUTHORIZED, METRICS, TOKEN, Samples, parse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Scope

_REQUESTS = "http_server_request_duration_seconds_count"
_WEBSOCKETS = "stethoscope_websocket_connection_duration_seconds_count"


class Observed:
    """``app``, installed with a folder of its own. One call at a time."""

    def __init__(self, app: object, directory: Path) -> None:
        self.app: ASGIApp = stethoscope.install(cast("ASGIApp", app), token=TOKEN, dir=directory)

    def get(self, path: str, **scope: object) -> tuple[int, str]:
        """Status of the response to a GET, and the route that was recorded of it."""
        return self.request("GET", path, **scope)

    def request(self, method: str, path: str, **scope: object) -> tuple[int, str]:
        before = self._routes(_REQUESTS)
        try:
            messages = call(self.app, http_scope(method, path, **scope))
        except (Exception, asyncio.CancelledError):
            # What servers answer to it; what was recorded is read below all the same.
            messages = [{"type": "http.response.start", "status": 500}]
        (route,) = (self._routes(_REQUESTS) - before).elements()
        return messages[0]["status"], route

    def websocket(self, path: str, **scope: object) -> str:
        """The route recorded of a WebSocket connection whose client leaves once it is open."""
        before = self._routes(_WEBSOCKETS)
        call(self.app, {**_scope(path, scope), "type": "websocket", "scheme": "ws", "subprotocols": []})
        (route,) = (self._routes(_WEBSOCKETS) - before).elements()
        return route

    def error_types(self) -> set[str]:
        """Of the requests that were recorded, without those that went well."""
        return {dict(labels).get("error_type", "") for labels in self._scrape().get(_REQUESTS, {})} - {""}

    def _routes(self, name: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for labels, value in self._scrape().get(name, {}).items():
            found[dict(labels)["http_route"]] += int(value)
        return found

    def _scrape(self) -> Samples:
        headers = [(name.encode(), value.encode()) for name, value in AUTHORIZED.items()]
        messages = call(self.app, http_scope("GET", METRICS, headers=headers))
        return parse(b"".join(message.get("body", b"") for message in messages).decode())


def http_scope(method: str, path: str, **more: object) -> Scope:
    return {**_scope(path, more), "type": "http", "method": method, "scheme": "http"}


def _scope(path: str, more: dict[str, object]) -> dict[str, Any]:
    return {
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"test")],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        **more,
    }


def call(app: ASGIApp, scope: Scope) -> list[Message]:
    """Calls ``app`` on an event loop of its own, as a client that stays until it has its answer."""
    return asyncio.run(_call(app, scope))


async def _call(app: ASGIApp, scope: Scope) -> list[Message]:
    sent: list[Message] = []
    complete = asyncio.Event()
    arriving: list[Message] = [{"type": "http.request"}]
    if scope["type"] == "websocket":
        arriving = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]

    async def receive() -> Message:
        if arriving:
            return arriving.pop(0)
        await complete.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            complete.set()

    await app(scope, receive, send)
    return sent
