"""Recording in place of a service's workers, by a process that is not one of them."""

from __future__ import annotations

from typing import ClassVar

from stethoscope.store.folder import Folder
from stethoscope.store.layout import Role
from stethoscope.store.recorder import Recorder


class Deputy(Recorder):
    """A recorder that does not count as a worker and has no thread: its owner calls `keep_house`."""

    _role: ClassVar = Role.DEPUTY

    def __init__(self, service: str, folder: Folder) -> None:
        super().__init__(service, lambda: folder)

    @property
    def segment_name(self) -> str:
        """The file that it records into; empty while there is none."""
        claim = self._place.claim if self._place else None
        return claim.name if claim else ""

    def keep_house(self) -> None:
        """Repair what has happened to its own file."""
        if self._place is not None:
            self._repair()

    def end(self) -> None:
        """Stop recording: readers fold what it has counted into the totals. What is recorded from then on is lost."""
        with self._lock.held:  # nobody is in the middle of a record
            self._find_folder = lambda: None
            if self._place is not None:
                self._place.release()

    def _hire_housekeeper(self) -> None:
        return
