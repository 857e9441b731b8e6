"""What an ASGI app is called with (ASGI specification, "Applications"), and where a path begins in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
# What these return is no part of the specification, but servers and apps look at it, so it is passed on.
Send = Callable[[Message], Awaitable[Any]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[Any]]


def own_path(scope: Scope) -> str:
    """The path inside the app: without the root path that some servers put in front (ASGI HTTP spec, ``root_path``)."""
    path: str = scope.get("path") or ""
    root: str = (scope.get("root_path") or "").rstrip("/")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :] or "/"
    return path
