"""The clock for lengths of time between processes: nobody sets it."""

from __future__ import annotations

import time


def since_boot() -> float:
    """Seconds since the machine started, also while it slept: comparable between processes."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
