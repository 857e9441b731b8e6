"""What the sidecar records of itself: its failures, and what its process uses. The machine is recorded for its services alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from stethoscope import names
from stethoscope.instruments.vitals import watch_worker
from stethoscope.store.recorder import Recorder
from stethoscope.store.snapshot import Snapshot

NAME: Final = "stethoscope-sidecar"

_OF_A_STORE: Final = frozenset(
    metric.name for metric in (names.WORKERS, names.STORE_SIZE, names.SKIPPED_SEGMENTS, names.PRIVATE_STORE)
)


class Own:
    """A service of its own, in this process's memory: it begins and ends with the process.

    Its process is not recorded beside ``services`` that were named: whoever sums up the page of those would take it for a worker.
    """

    def __init__(self, services: Collection[str]) -> None:
        recorder = Recorder(NAME, lambda: None)
        watch_worker(recorder, () if services else ("process",))
        recorder.count(names.INTERNAL_ERRORS, ("watch",), 0.0)  # to be seen before it happens; and sampling begins
        self._recorder = recorder
        self.failed: Final = recorder.failed
        self.count: Final = recorder.count
        self.every: Final = recorder.every

    def snapshot(self) -> Snapshot:
        """What was recorded, without what says how a store in shared memory is: there is none."""
        taken = self._recorder.snapshot()
        families = {name: family for name, family in taken.families.items() if name not in _OF_A_STORE}
        return Snapshot(taken.service, taken.taken_at, families)
