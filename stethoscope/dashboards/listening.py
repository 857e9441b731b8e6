"""Whether this process still listens: when it stops, it is about to end, whatever the server.

A server that is told to stop closes its listening sockets first and then waits for the responses that
are under way, of which a stream is one that has no end. ASGI tells an app of neither.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Final

from stethoscope.asgi import Scope

_DESCRIPTORS: Final = ("/proc/self/fd", "/dev/fd")


class Listening:
    """The listening sockets of this process by which a request may have come. Not found, it always listens."""

    def __init__(self, scope: Scope) -> None:
        server = scope.get("server") or (None, None)
        self._sockets = [number for number in _descriptors() if _listens(number, server)]

    def is_over(self) -> bool:
        return bool(self._sockets) and not any(_listens(number) for number in self._sockets)


def _descriptors() -> list[int]:
    for folder in _DESCRIPTORS:
        with suppress(OSError):
            return [int(name) for name in os.listdir(folder)]
    return []


def _listens(number: int, server: tuple[object, object] | None = None) -> bool:
    """Whether the descriptor is a listening socket; with ``server`` (ASGI's), one at this port or path."""
    try:
        one = socket.socket(fileno=number)
    except OSError:  # closed, or no socket
        return False
    try:
        if not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return False
        return server is None or _place(one.getsockname()) == (server[0] if server[1] is None else server[1])
    except OSError:
        return False
    finally:
        one.detach()  # it is not ours


def _place(name: object) -> object:
    """The port of an address, or the path of a Unix socket."""
    return name[1] if isinstance(name, tuple) else name
