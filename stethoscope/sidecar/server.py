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
from stethoscope.sidecar.options import addresses

_GRACE: Final = 1
"""Seconds that requests have to be answered when the process is told to end."""

_BACKLOG: Final = 128


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; on all addresses where ``host`` is empty. Raises `CommandError`."""
    failure = OSError()
    for family, _, _, _, address in addresses(host, port):
        both = family == socket.AF_INET6 and not host and socket.has_dualstack_ipv6()
        try:
            return socket.create_server(address, family=family, backlog=_BACKLOG, dualstack_ipv6=both)
        except OSError as error:
            failure = error
    raise CommandError(f"cannot listen on {host}:{port}: {_advice(failure)}")


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
