"""Handlers of signals that raise, at whichever place CPython calls them."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType


class _TimeIsUpError(Exception):
    pass


def raise_at_call(number: int, work: Callable[[], object]) -> bool:
    """Do some work in which a signal handler raises at the ``number``-th place where CPython calls them. False when there is none."""
    left = number

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        left -= event in ("call", "c_return")
        if left == 0:
            raise _TimeIsUpError

    gc.disable()  # else it would strike in the finalizers of what other tests have left, whose errors go nowhere
    sys.setprofile(count)
    try:
        work()
    except _TimeIsUpError:
        return True
    finally:
        sys.setprofile(None)
        gc.enable()
    return False
