"""A receiver of OTLP over HTTP in one of several states of health: ``python -m benchmarks.receiver STATE DESCRIPTOR``."""

from __future__ import annotations

import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def main(state: str, descriptor: int) -> None:
    """Serves until it is ended. ``fine`` takes everything, ``failing`` nothing, ``hanging`` never answers."""
    forever = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            if state == "hanging":
                forever.wait()
            self.send_response(200 if state == "fine" else 503)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket = socket.socket(fileno=descriptor)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
