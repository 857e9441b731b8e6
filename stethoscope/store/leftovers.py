"""What processes have left that ended before anybody folded them: scripts, say, that take less than a housekeeping step.

Where nobody reads, whoever starts folds them, so that neither descriptors nor the disk of a later reader run out.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from stethoscope.store.folder import SUFFIX, Folder, segment_is_written
from stethoscope.store.forking import no_fork

MOST: Final = 50
"""Segments of ended processes that are left to the next reader."""
_AT_ONCE: Final = 2 * MOST
"""How many one process folds. Its app waits for that."""


def fold_leftovers(folder: Folder, cap: int, more_than: int = MOST) -> None:
    """Fold some of the dead if there are more than so many. Never raises, and waits for nobody."""
    with suppress(Exception):
        written = [name for name in folder.names() if name.endswith(SUFFIX)]
        if len(written) <= more_than or sum(not segment_is_written(folder, name) for name in written) <= more_than:
            return
        with no_fork:
            from stethoscope.store.totals import fold  # the code that reads: most processes never need it
        fold(folder, cap, at_most=_AT_ONCE)
