"""From when to when the numbers of a document count."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, Protocol, TypedDict, get_args

from stethoscope.names import NoteKind
from stethoscope.store.history import History
from stethoscope.store.notes import Note
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
    workers: Annotated[list[int | str], "Process ids of the living workers; ended ones are in the numbers too."]


class Beside(Protocol):
    """What a service has beside its numbers. Each call is for a thread, and returns what is there by then."""

    def history(self) -> History | None: ...

    def notes(self, kind: NoteKind) -> list[Note]: ...

    def brief_notes(self, kind: NoteKind) -> list[Note]: ...

    def whole_note(self, kind: NoteKind, key: str) -> Note | None: ...


class Nothing:
    """Beside numbers that are all there is."""

    def history(self) -> History | None:
        return None

    def notes(self, kind: NoteKind) -> list[Note]:
        return []

    brief_notes = notes

    def whole_note(self, kind: NoteKind, key: str) -> Note | None:
        return None


NOTHING: Final[Beside] = Nothing()


@dataclass(slots=True)
class Moment:
    """One snapshot, and the windows that end with it."""

    present: Snapshot
    history: History | None = None
    _windows: dict[WindowName, Snapshot] = field(default_factory=dict)

    def window(self, name: WindowName) -> Snapshot:
        """What was recorded in the window. Its ``seconds`` are known in any case."""
        if name not in self._windows:
            self._windows[name] = self._cut(_SECONDS[name])
        return self._windows[name]

    def since_reset(self) -> Snapshot:
        """What was recorded since the last reset. Without one it is all, and its ``seconds`` are None."""
        return self.history.window(self.present, None) if self.history else self.present

    def _cut(self, seconds: float | None) -> Snapshot:
        since_reset = self.since_reset()
        if since_reset.seconds is None:
            since_reset = self.present.minus(_NOTHING, self._age())
        # A window that reaches back to the beginning has all; the first snapshot was put aside later than that.
        if seconds is None or self.history is None or (since_reset.seconds or 0.0) <= seconds:
            return since_reset
        found = self.history.window(self.present, seconds)
        return since_reset if found.seconds is None else found

    def _age(self) -> float:
        """Seconds since the beginning, at least 1. That the clock was set back since then is no reason to take the service for young."""
        reaches_back = self.history.reaches_back() if self.history else 0.0
        return max(1.0, self.present.taken_at - self.present.beginning(), reaches_back)


def described(name: WindowName, window: Snapshot) -> Window:
    return Window(
        name=name,
        seconds=round(window.seconds or 0.0, 3),
        until_unix_seconds=round(window.taken_at, 3),
        workers=list(window.workers),
    )


_NOTHING: Final = Snapshot("", 0.0, {})
