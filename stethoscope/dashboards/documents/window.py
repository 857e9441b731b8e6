"""From when to when the numbers of a document count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, TypedDict, get_args

from stethoscope.store.history import History
from stethoscope.store.snapshot import Snapshot

WindowName = Literal["1m", "5m", "15m", "all"]
WINDOWS: Final[tuple[WindowName, ...]] = get_args(WindowName)
_SECONDS: Final[dict[WindowName, float | None]] = {"1m": 60.0, "5m": 300.0, "15m": 900.0, "all": None}


class Window(TypedDict):
    """What the numbers of a document cover."""

    name: Annotated[
        WindowName, "The window asked for: 1, 5 or 15 minutes, or all since the beginning or the last reset."
    ]
    seconds: Annotated[float, "How long it really is: up to a minute longer than asked for, or shorter after a start."]
    until_unix_seconds: Annotated[float, "When it ends, as Unix time."]
    workers: Annotated[list[int], "Process ids of the living workers; ended ones are in the numbers too."]


@dataclass(slots=True)
class Moment:
    """One snapshot, and the windows that end with it."""

    present: Snapshot
    history: History | None = None
    _windows: dict[WindowName, Snapshot] = field(default_factory=dict)

    def window(self, name: WindowName) -> Snapshot:
        """What was recorded in the window. Its ``seconds`` are known in any case."""
        if name not in self._windows:
            seconds = _SECONDS[name]
            window = self.history.window(self.present, seconds) if self.history else self.present
            if window.seconds is None:
                window = self.present.minus(_NOTHING, max(1.0, self.present.taken_at - _beginning(self.present)))
            self._windows[name] = window
        return self._windows[name]


def described(name: WindowName, window: Snapshot) -> Window:
    return Window(
        name=name,
        seconds=round(window.seconds or 0.0, 3),
        until_unix_seconds=round(window.taken_at, 3),
        workers=list(window.workers),
    )


_NOTHING: Final = Snapshot("", 0.0, {})


def _beginning(snapshot: Snapshot) -> float:
    """When the first series was made; now, where there is none."""

    def times() -> Iterator[float]:
        for family in snapshot.families.values():
            yield from (series.created for series in family.series if series.created)

    return min(times(), default=snapshot.taken_at)
