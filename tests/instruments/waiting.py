"""Waiting for what another thread or process does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def until(look: Callable[[], Found | None], what: str, seconds: float = 20.0) -> Found:
    """Looks twenty times a second until there is something, and returns it."""
    never = threading.Event()
    for _ in range(int(seconds * 20)):
        if found := look():
            return found
        never.wait(0.05)
    raise AssertionError(f"{what}: not within {seconds:g} s")
