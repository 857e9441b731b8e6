"""Letting other threads run while one of ours works: in an app, most of them have requests to serve."""

from __future__ import annotations

import threading
import time
from typing import Final

TURN: Final = 0.001
"""Seconds of processor time that a thread works before it lets others run."""

_worked: Final = threading.local()


def let_others_run() -> None:
    """Give up the interpreter lock for an instant, so that an event loop in another thread never waits long for it.

    Call it as often as you like: it gives something up only once per `TURN` of work. On a busy machine each time costs the
    thread its place in the queue for the processor, some milliseconds, and a scrape has a hundred occasions.
    """
    now = time.thread_time()
    if not 0.0 <= now - getattr(_worked, "until", 0.0) < TURN:  # below zero: a forked child counts anew
        _worked.until = now
        time.sleep(0)
