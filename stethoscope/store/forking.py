"""Keeping forks out of what a child must not find half done: an import, say, that nobody would ever finish there."""

from __future__ import annotations

import os
from typing import Final

from stethoscope.store.lock import ReentrantLock

no_fork: Final = ReentrantLock()
"""Held by whoever does such a thing, and by whoever forks. A fork that runs no Python hooks does not wait for it."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=no_fork.acquire, after_in_parent=no_fork.release, after_in_child=no_fork.release)
