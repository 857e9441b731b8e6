"""The one thread that a recording process has."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final
from weakref import ref

if TYPE_CHECKING:
    from stethoscope.store.recorder import Recorder

STEP: Final = 15.0
"""Seconds between two rounds."""


class Housekeeper(threading.Thread):
    """Has a recorder keep house, every 15 seconds: repair, fold, and put a snapshot aside for windows.

    Ends with its recorder, and in a forked child. A failure is the recorder's to count.
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(name="stethoscope", daemon=True)
        self._recorder = ref(recorder)

    def run(self) -> None:
        process, never = os.getpid(), threading.Event()
        while not never.wait(STEP) and os.getpid() == process:
            recorder = self._recorder()
            if recorder is None:
                return
            try:
                recorder.keep_house()
            except Exception as error:
                recorder.failed("housekeeping", error)
            del recorder
