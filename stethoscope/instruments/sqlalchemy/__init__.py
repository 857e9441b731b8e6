"""SQLAlchemy's engines: every query, whoever asks it, and the pools of their connections.

SQLAlchemy is imported by nobody but the app. `adopt` waits for that.

    engines     where SQLAlchemy is listened to
    checkouts   what is asked on connections beside queries
    pools       what its pools say of themselves
    loaders     what the ORM knows of queries that it makes by itself
    eager       relationships that it loads ahead
    explain     plans of slow queries
    vitals      what databases say about themselves
    own         the connections that those two ask on
    listening   all queries of a test
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

from stethoscope.instruments.arrival import when_imported
from stethoscope.settings import Settings

if TYPE_CHECKING:
    from stethoscope.instruments.database.instrument import Instrument
    from stethoscope.store.recorder import Recorder

_LIBRARY: Final = "sqlalchemy"

Attach = Callable[["Instrument"], None]
"""Has a layer tell an instrument of its requests: a method of the layer's."""

_waiting: Final[dict[ref[object], tuple[Callable[[Any, Instrument], None], ref[Recorder], Settings]]] = {}
"""Layers that wait for the app to import SQLAlchemy, each with the function that `Attach` is of it."""


def _forget(gone: ref[object], waiting: dict[ref[object], Any] = _waiting) -> None:
    waiting.pop(gone, None)


def adopt(recorder: Recorder, settings: Settings, attach: Attach) -> None:
    """Watch all engines that are used from now on, now or once the app has imported SQLAlchemy. Never raises.

    Unless ``settings.instruments`` leaves them out: then only those that `watch` is given. ``attach`` is
    called with the instrument when it is there, if the layer is then.
    """
    if f"{_LIBRARY}.engine" in sys.modules:
        _begin(recorder, settings, attach)
        return
    # No WeakMethod: one that is collected together with what keeps its object may call itself back when it is gone.
    layer, function = attach.__self__, attach.__func__  # type: ignore[attr-defined]  # it is a method
    _waiting[ref(layer, _forget)] = function, ref(recorder), settings
    when_imported(_LIBRARY, _begin_waiting)


def _begin_waiting() -> None:
    for living, (function, wanted, settings) in list(_waiting.items()):
        recorder, layer = wanted(), living()
        if recorder is not None and layer is not None:
            _begin(recorder, settings, MethodType(function, layer))
    _waiting.clear()


def _begin(recorder: Recorder, settings: Settings, attach: Attach) -> None:
    try:
        _watch_all(recorder, settings, attach)
    except Exception as error:
        recorder.failed(_LIBRARY, error)


def _watch_all(recorder: Recorder, settings: Settings, attach: Attach) -> None:
    # Not before: these import SQLAlchemy, or take time that an app without it need not spend.
    from stethoscope.instruments.database.instrument import instrument_of
    from stethoscope.instruments.sqlalchemy import engines

    instrument = instrument_of(recorder, settings)
    attach(instrument)
    if _LIBRARY in settings.instruments:
        engines.watch_all(instrument)


def watch(engine: object) -> bool:
    """Watch one engine, for this process's default recorder. False when it is no engine of SQLAlchemy's."""
    if _LIBRARY not in sys.modules:
        return False
    from stethoscope.instruments.database.instrument import instrument_of
    from stethoscope.instruments.sqlalchemy import engines
    from stethoscope.store.registry import default_recorder

    return engines.watch(engine, lambda: instrument_of(default_recorder(), Settings.resolve()))
