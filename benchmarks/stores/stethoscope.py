"""Stethoscope's own store, filled by its own middleware: requests pass it while its clock is told the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.requests import make_scope, receive, send
from stethoscope import Stethoscope
from stethoscope.exporters.exposition import render as render_page
from stethoscope.exporters.text import TEXT
from stethoscope.middleware import exchange

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from benchmarks.workload import Traffic

DURATION: Final = "http_server_request_duration_seconds"


class Clock:
    """A clock that stands still until it is told to go on; in place of the middleware's."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


_clock: Final = Clock()


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers as `scope["bench"]` says: after so many seconds, with that status and so many bytes."""
    seconds, status, size = scope["bench"]
    _clock.now += seconds
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": bytes(size)})


exchange.clock = _clock  # the seam that tests use, too
_stethoscope = Stethoscope(_app)


def record(traffic: Traffic) -> None:
    for seconds, size in zip(traffic.durations, traffic.sizes, strict=True):
        # Where a framework leaves the whole template in the scope, so that no router is needed here.
        scope = {**make_scope(), "path_template": traffic.route, "bench": (seconds, traffic.status, size)}
        _complete(scope)


def _complete(scope: Scope) -> None:
    """Runs one request to its end: nothing in it ever waits, so no event loop is needed."""
    running = _stethoscope(scope, receive, send)
    try:
        running.send(None)
    except StopIteration:
        return
    raise RuntimeError("a request that waits for nothing did wait")


def observed(token: str) -> Stethoscope:
    """What records, with its own endpoints open to who has the token."""
    global _stethoscope
    _stethoscope = Stethoscope(_app, token=token)
    return _stethoscope


def render() -> bytes:
    return b"".join(render_page(_stethoscope.recorder.snapshot(), TEXT))
