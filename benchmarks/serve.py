"""uvicorn around one contender, on a listening socket that the coordinator made.

Not through uvicorn's own `--fd`: that takes the socket for a Unix one and so leaves Nagle's algorithm
on, and then every answer waits 40 ms for the client's delayed acknowledgement.
"""

from __future__ import annotations

import socket
import sys

import uvicorn

from benchmarks.apps import make_app
from benchmarks.contenders import wrap


def main(contender: str, app: str, descriptor: str) -> None:
    config = uvicorn.Config(
        wrap(contender, make_app(app)),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(descriptor))])


if __name__ == "__main__":
    main(*sys.argv[1:])
