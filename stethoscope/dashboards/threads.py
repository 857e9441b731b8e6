"""Threads for work that would hold up the observed app's event loop. None is taken from the app's own."""

from __future__ import annotations

from typing import Final

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar

_THREADS: Final = 2
"""More would only wait for each other's interpreter lock; fewer, and one stuck collector stops all scrapes."""

_limiter: RunVar[CapacityLimiter] = RunVar("stethoscope_metrics_limiter")


def threads() -> CapacityLimiter:
    """The limiter of the running event loop; a process can have several."""
    try:
        return _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(_THREADS)
        _limiter.set(limiter)
        return limiter
