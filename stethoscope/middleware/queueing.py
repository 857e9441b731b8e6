"""How long requests were under way before the server had them, as the proxy in front says.

``X-Request-Start`` and ``X-Queue-Start`` carry the time at which the proxy had the request: Unix time in seconds,
milliseconds, microseconds or nanoseconds, with or without ``t=``. nginx, Apache, HAProxy and Heroku's router set them so.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from stethoscope import hot, names
from stethoscope.current import Share
from stethoscope.middleware.observer import Observer

if TYPE_CHECKING:
    from stethoscope.middleware.exchange import Exchange
    from stethoscope.store.recorder import Recorder

SHARE: Final = "queue"
"""What it is called in Server-Timing."""

_HEADERS: Final = (b"x-request-start", b"x-queue-start")
_TIME: Final = re.compile(rb"\s*(?:t=)?([0-9]{1,20}(?:\.[0-9]{1,12})?)\s*")
_OLDEST: Final = 24 * 3600.0
_AHEAD: Final = 0.001
"""Seconds that a proxy which rounds to milliseconds may be in the future."""
# From which number on it can be of this unit: seconds until the year 5138, and so on.
_UNITS: Final = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (0.0, 1.0))


class QueueObserver(Observer):
    """Records the time in the queue of requests that say when they entered it, and gives it to Server-Timing."""

    __slots__ = ("_recorder",)

    started_with = _HEADERS

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def started(self, exchange: Exchange) -> None:
        value = hot.value_of(exchange.scope["headers"], _HEADERS)
        if value is None:
            return
        seconds = queued(value, time.time())
        if isinstance(seconds, str):
            self._recorder.counter(names.REFUSED_QUEUE_TIMES, (seconds,)).add(1.0)
            return
        self._recorder.histogram(names.QUEUE_DURATION).record(seconds)
        if exchange.shares is None:
            exchange.shares = {}
        exchange.shares[SHARE] = Share(seconds, 1)


def queued(value: bytes, now: float) -> float | str:
    """Seconds since the time that a header has, or why it is not believed: ``unreadable``, ``future``, ``old``.

    ``now`` is Unix time in seconds.
    """
    found = _TIME.fullmatch(value)
    if found is None:
        return "unreadable"
    number = float(found[1])
    seconds = now - number / next(unit for least, unit in _UNITS if number >= least)
    if seconds < -_AHEAD:
        return "future"
    return "old" if seconds > _OLDEST else max(0.0, seconds)
