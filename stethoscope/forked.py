"""What came by a fork. Imported with the package itself: what a child imports for the first time has not seen it."""

from __future__ import annotations

import os
import sys
from typing import Final

_COUNTING: Final = "prometheus_client.metrics"

_times = 0


def times() -> int:
    """How many forks lie behind this process, of processes that may have counted with prometheus_client before."""
    return _times


def _after_fork_in_child() -> None:
    global _times
    _times += _COUNTING in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
