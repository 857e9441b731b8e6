"""Which exporters send by themselves, and their life in a process. To add one, add a line."""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Final, cast
from weakref import WeakSet

from stethoscope.exporters.exporter import Closing, Exporter, MakeExporter, Source
from stethoscope.store.recorder import Recorder

EXPORTERS: Final[Mapping[str, str]] = {"otlp": "stethoscope.exporters.otlp.exporter:otlp_exporter"}
"""Name to the address of what makes it, as ``module:function``. Imported when there is something to export."""

FLUSH: Final = 3.0
"""Seconds that exporters have for what they have not sent yet, so that a process ends within five."""


def make_all(source: Source, exporters: Mapping[str, str] = EXPORTERS) -> list[Exporter]:
    """Make each exporter that the environment asks for. One that cannot be made is a failure of its own."""
    made = []
    for name, address in exporters.items():
        try:
            exporter = _make(address)(source)
        except Exception as error:
            source.failed(name, error)
        else:
            made += [exporter] if exporter is not None else []
    return made


def _make(address: str) -> MakeExporter:
    module, _, function = address.partition(":")
    return cast("MakeExporter", getattr(import_module(module), function))


def close_all(exporters: Iterable[Closing], seconds: float) -> None:
    """Close them at the same time, and return when the time is over, closed or not."""
    until = time.monotonic() + seconds
    threads, left = [], []
    for exporter in exporters:
        thread = threading.Thread(target=exporter.close, args=(seconds,), daemon=True)
        try:
            thread.start()
            threads.append(thread)
        except RuntimeError:  # no more of them, or none any more: Python 3.12.1 refuses them to what atexit calls
            left.append(exporter)
    for exporter in left:
        exporter.close(max(0.0, until - time.monotonic()))
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


_started: Final[WeakSet[Sending]] = WeakSet()


class Sending:
    """The exporters of what this process records into one service. They start when it does, also in forked children."""

    def __init__(self, exporters: list[Exporter]) -> None:
        self._exporters = exporters

    def start(self) -> None:
        for exporter in self._exporters:
            exporter.start()
        _started.add(self)
        if multiprocessing := sys.modules.get("multiprocessing.util"):
            # A process that multiprocessing has forked ends without the functions of atexit, but with these.
            multiprocessing.Finalize(None, _close_started, exitpriority=0)

    def close(self, *others: Closing) -> None:
        """Send what has not been sent, and close others meanwhile, within `FLUSH`. Any number of times."""
        close_all([*self._exporters, *others], FLUSH)


def send(recorder: Recorder) -> Sending | None:
    """Have what is recorded into ``recorder`` sent by the exporters that the environment asks for; None where it asks for none."""
    return recorder.companion(Sending, lambda: _send(recorder))


def _send(recorder: Recorder) -> Sending | None:
    exporters = make_all(recorder)
    if not exporters:
        return None
    sending = Sending(exporters)
    recorder.once("exporters", sending.start)
    return sending


@atexit.register
def _close_started() -> None:
    for sending in list(_started):
        sending.close()
