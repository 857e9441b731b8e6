"""A re-entrant lock that is free again whatever the handler of a signal raises."""

from __future__ import annotations

import sys
from _thread import RLock
from typing import Final


class CarefulLock(RLock):  # type: ignore[misc]  # final for type checkers only
    """For CPython 3.14, which may run handlers between a lock's ``__enter__`` and the block of its ``with``.

    What one raises there, as Ctrl-C and time limits do, leaves a bare lock held for good: https://github.com/python/cpython/issues/148874.
    Python code is entered and returned from without that, and what stands in a ``try`` can be taken back.
    """

    def __enter__(self) -> bool:  # type: ignore[override]
        taken: list[bool] = []
        try:
            taken.extend(map(self.acquire, (True,)))  # both or neither: there is no Python between
        except BaseException:
            if taken:
                self.release()
            raise
        return True


ReentrantLock: Final = CarefulLock if sys.version_info[:2] == (3, 14) else RLock
