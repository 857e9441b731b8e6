"""Listening, and a clean end: what uvicorn is told."""

from __future__ import annotations

import errno
import signal
import socket
from contextlib import suppress
from typing import Final

import uvicorn

from stethoscope.asgi import ASGIApp
from stethoscope.command import CommandError

_GRACE: Final = 1
"""Seconds that requests have to be answered when the process is told to end."""

_BACKLOG: Final = 128


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises `CommandError`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise CommandError(f"can not listen on {host}:{port}: {_advice(error)}") from error
    return listener


def _advice(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is in use; end what listens there, or choose another one with --listen"
    if error.errno == errno.EACCES:
        return "this user may not; choose a port above 1023 with --listen"
    return f"{error.strerror}; choose an address of this machine with --listen"


def serve(app: ASGIApp, listener: socket.socket, certificate: str | None, key: str | None) -> None:
    """Serve until SIGTERM or SIGINT. For the main thread."""
    config = uvicorn.Config(
        app,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        # The peer is who it is: the access rules look at the forwarding headers themselves.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )
    # uvicorn raises the signal once more when it has ended, for the handler that was there before.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: None)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
