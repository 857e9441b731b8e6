"""An observer that is only made when the first request comes.

What it works with may be set up after the app is made; and where it is not set up at all, nothing of it is
imported and no request is told to anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stethoscope.middleware.exchange import Exchange
    from stethoscope.middleware.layer import Layer
    from stethoscope.middleware.observer import Observer


class Later:
    """Stands in for what ``make`` returns, which takes its place at the first request; for nothing if that is None."""

    def __init__(self, layer: Layer, make: Callable[[], Observer | None]) -> None:
        self._layer = layer
        self._make: Callable[[], Observer | None] | None = make
        self._made: Observer | None = None
        self._lock = Lock()

    def started(self, exchange: Exchange) -> None:
        with self._lock:
            if self._make is not None:
                make, self._make = self._make, None
                try:
                    self._made = make()
                finally:
                    self._layer.replace(self, self._made)
        if self._made is not None:
            self._made.started(exchange)

    def ended(self, exchange: Exchange, status: int, seconds: float, exception: BaseException | None) -> None:
        """Never: by then it has been replaced."""

    def left(self, exchange: Exchange) -> None:
        """Never, as above."""
