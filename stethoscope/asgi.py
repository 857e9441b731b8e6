"""What an ASGI app is called with (ASGI specification, "Applications"), and how to read it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
# What these return is no part of the specification, but servers and apps look at it, so it is passed on.
Send = Callable[[Message], Awaitable[Any]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[Any]]

_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"))


def known_methods() -> frozenset[str]:
    """HTTP methods that are told as they are, case-sensitive (HTTP semantic conventions, ``http.request.method``)."""
    chosen = os.environ.get("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS")
    return frozenset(part.strip() for part in chosen.split(",")) if chosen else _METHODS


def own_path(scope: Scope) -> str:
    """The path inside the app: without the root path that some servers put in front (ASGI HTTP spec, ``root_path``)."""
    path: str = scope.get("path") or ""
    root: str = (scope.get("root_path") or "").rstrip("/")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :] or "/"
    return path
