"""Scopes as servers make them."""

from __future__ import annotations

from starlette.types import Message, Scope


def http_scope(**changes: object) -> Scope:
    """An HTTP scope with repeated headers, state and extensions; `changes` replace keys."""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/shop/items",
        "raw_path": b"/shop/items",
        "query_string": b"q=1&q=2",
        "root_path": "",
        "headers": [(b"host", b"shop"), (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x-tag", b"\xff")],
        "client": ("192.0.2.7", 4711),
        "server": ("192.0.2.1", 80),
        "state": {"pool": "open"},
        "extensions": {"http.response.trailers": {}, "http.response.pathsend": {}},
    }
    return {**scope, **changes}


def websocket_scope(**changes: object) -> Scope:
    """A WebSocket scope; `changes` replace keys."""
    scope = http_scope(type="websocket", scheme="ws", subprotocols=["chat", "superchat"])
    del scope["method"]
    scope["extensions"] = {"websocket.http.response": {}}
    return {**scope, **changes}


def lifespan_scope(**changes: object) -> Scope:
    """A lifespan scope with state; `changes` replace keys."""
    return {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}, **changes}


def request(body: bytes = b"", **extra: object) -> Message:
    """One message of a request's body."""
    return {"type": "http.request", "body": body, "more_body": False, **extra}


def start(status: int = 200, **extra: object) -> Message:
    """A response's start without headers, unless `extra` has them."""
    return {"type": "http.response.start", "status": status, **extra}


def body(chunk: bytes = b"", **extra: object) -> Message:
    """One message of a response's body, the last one unless `extra` says otherwise."""
    return {"type": "http.response.body", "body": chunk, **extra}


LIFESPAN_EVENTS = ({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
