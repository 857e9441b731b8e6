"""Which exporters the sidecar runs for every service that it finds. To add one, add a line."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Final, cast

from stethoscope.exporters.exporter import Exporter, MakeExporter, Source

EXPORTERS: Final[Mapping[str, str]] = {}
"""Name to the address of what makes it, as ``module:function``. Imported when the first service is found."""


def start_all(source: Source, exporters: Mapping[str, str] = EXPORTERS) -> list[Exporter]:
    """Start each exporter that the environment asks for. One that can not be made is a failure of its own."""
    started = []
    for name, address in exporters.items():
        try:
            exporter = _make(address)(source)
            if exporter is not None:
                exporter.start()
                started.append(exporter)
        except Exception as error:
            source.failed(name, error)
    return started


def _make(address: str) -> MakeExporter:
    module, _, function = address.partition(":")
    return cast("MakeExporter", getattr(import_module(module), function))


def close_all(exporters: Iterable[Exporter], seconds: float) -> None:
    """Close them at the same time, and return when the time is over, closed or not."""
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=exporter.close, args=(seconds,), daemon=True) for exporter in exporters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
