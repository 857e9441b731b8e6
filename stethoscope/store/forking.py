"""What no forked child may find half done, because nobody is there to do the rest: an import, say, which it would wait for for ever."""

from __future__ import annotations

import os
from typing import Final

from stethoscope.store.lock import ReentrantLock

no_fork: Final = ReentrantLock()
"""Held by who does such a thing, and by whoever forks. A fork that runs no hooks of Python does not wait for it."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=no_fork.acquire, after_in_parent=no_fork.release, after_in_child=no_fork.release)
