"""The command ``stethoscope sidecar``."""

from __future__ import annotations

import logging
from argparse import Namespace
from socket import socket

from stethoscope.command import CommandError
from stethoscope.sidecar.machine import LOOK_EVERY, Machine
from stethoscope.sidecar.options import Options, add_arguments, options
from stethoscope.sidecar.own import Own
from stethoscope.sidecar.watch import Watch
from stethoscope.store.discovery import Discovery
from stethoscope.store.folder import SUPPORTED

__all__ = ["add_arguments", "run"]

logger = logging.getLogger("stethoscope")


def run(arguments: Namespace) -> int:
    """Serve until SIGTERM; then send what has not been sent, and end."""
    # They need the extra, and --help does not.
    from stethoscope.sidecar.application import application
    from stethoscope.sidecar.server import listen, serve

    if not SUPPORTED:
        raise CommandError("needs file locks that end with their process, which this platform does not have")
    chosen = options(arguments)
    chosen.check_tls()
    listener = listen(chosen.host, chosen.port)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # it tells of its start and end, as we do
    own = Own(chosen.services)
    watch = Watch(Discovery(chosen.places, chosen.owner, chosen.services), own.failed, own.count)
    logger.info("serving %s for %s", _address(chosen, listener), _what(chosen))
    own.every(LOOK_EVERY, "machine", Machine(lambda: watch.services.values(), own.failed).sample)
    watch.look()
    watch.start()
    try:
        app = application(watch, chosen.token, chosen.thresholds, own, chosen.names)
        serve(app, listener, chosen.certificate, chosen.key)
    finally:
        watch.close()
        logger.info("ended")
    return 0


def _address(chosen: Options, listener: socket) -> str:
    host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
    return f"{'https' if chosen.certificate else 'http'}://{host}:{listener.getsockname()[1]}/metrics"


def _what(chosen: Options) -> str:
    return f"{', '.join(chosen.services) or 'all services'} in {', '.join(chosen.places)}"
