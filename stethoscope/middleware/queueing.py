"""How long requests were under way before the server had them, as the proxy in front says.

``X-Request-Start`` and ``X-Queue-Start`` carry the time at which the proxy had the request: Unix time in seconds,
milliseconds, microseconds or nanoseconds, with or without ``t=``. nginx, Apache, HAProxy and Heroku's router set them so.
"""

from __future__ import annotations

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
_MOST_DIGITS: Final = 32
_OLDEST: Final = 24 * 3600.0
_AHEAD: Final = 0.001
"""Seconds that a proxy which rounds to milliseconds may be in the future."""


class QueueObserver(Observer):
    """Records the time in the queue of requests that say when they entered it, and gives it to Server-Timing."""

    __slots__ = ("_recorder",)

    started_with = _HEADERS

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def started(self, exchange: Exchange) -> None:
        value = hot.value_of(exchange.scope["headers"], _HEADERS)
        if value is None or exchange.excluded:
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
    text = value.strip().removeprefix(b"t=")
    whole, point, fraction = text.partition(b".")
    if not whole.isdigit() or (point and not fraction.isdigit()) or len(text) > _MOST_DIGITS:
        return "unreadable"
    since = _seconds(float(text))
    if now - since < -_AHEAD:
        return "future"
    return "old" if now - since > _OLDEST else max(0.0, now - since)


def _seconds(number: float) -> float:
    """Unix time, of a number whose size says its unit: seconds until the year 5138, and so on."""
    if number < 1e11:
        return number
    if number < 1e14:
        return number / 1e3
    return number / 1e6 if number < 1e17 else number / 1e9
