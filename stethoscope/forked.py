"""What came by a fork. Imported with the package itself: what a child imports for the first time has not seen it."""

from __future__ import annotations

import os
import sys
from typing import Final

_COUNTING: Final = "prometheus_client.metrics"

_counts = False


def inherited_counts() -> bool:
    """Whether this process was forked from one that may have counted with prometheus_client already."""
    return _counts


def _after_fork_in_child() -> None:
    global _counts
    _counts = _counts or _COUNTING in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
