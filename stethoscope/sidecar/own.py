"""What the sidecar records of itself, and where others record that work for it."""

from __future__ import annotations

from typing import Final

from stethoscope import names
from stethoscope.store.recorder import Recorder
from stethoscope.store.snapshot import Snapshot

NAME: Final = "stethoscope-sidecar"

_OF_A_STORE: Final = frozenset(
    metric.name for metric in (names.WORKERS, names.STORE_SIZE, names.SKIPPED_SEGMENTS, names.PRIVATE_STORE)
)


class Own:
    """A service of its own, in this process's memory."""

    def __init__(self) -> None:
        self.recorder: Final = Recorder(NAME, lambda: None)
        self.failed: Final = self.recorder.failed
        self.count: Final = self.recorder.count

    def snapshot(self) -> Snapshot:
        """What was recorded, without what says how a store in shared memory is: there is none."""
        taken = self.recorder.snapshot()
        families = {name: family for name, family in taken.families.items() if name not in _OF_A_STORE}
        return Snapshot(taken.service, taken.taken_at, families)
