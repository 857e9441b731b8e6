"""Exceptions that a framework catches itself, to answer with a 500: its adapter notes them for the record of the request."""

from __future__ import annotations

from typing import Final

from stethoscope.current import CURRENT, Current

_CARRIED: Final = "caught"


def note_caught(error: BaseException | None) -> None:
    """The framework answers the current request with what it makes of this exception."""
    current = CURRENT.get()
    if current is not None and error is not None:
        current.carried = {**(current.carried or {}), _CARRIED: error}


def take_caught(current: Current) -> BaseException | None:
    """What was noted, once: its frames hold what is current, so that it must not be kept with it, whatever was answered."""
    found = current.carried.pop(_CARRIED, None) if current.carried else None
    return found if isinstance(found, BaseException) else None
