"""SQLAlchemy's engines: every query, whoever asks it, and the pools of their connections.

SQLAlchemy is imported by nobody but the app. `adopt` waits for that.

    engines     where SQLAlchemy is listened to
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
from typing import TYPE_CHECKING, Final
from weakref import WeakMethod, ref

from stethoscope.instruments.arrival import when_imported
from stethoscope.settings import Settings

if TYPE_CHECKING:
    from stethoscope.instruments.database.instrument import Instrument
    from stethoscope.store.recorder import Recorder

_LIBRARY: Final = "sqlalchemy"

Attach = Callable[["Instrument"], None]
"""Has a layer tell an instrument of its requests: a method of the layer's."""

_waiting: Final[dict[WeakMethod[Attach], tuple[ref[Recorder], Settings]]] = {}
"""Layers that wait for the app to import SQLAlchemy."""


def adopt(recorder: Recorder, settings: Settings, attach: Attach) -> None:
    """Watch all engines that are used from now on, now or once the app has imported SQLAlchemy. Never raises.

    Unless ``settings.instruments`` leaves them out: then only those that `watch` is given. ``attach`` is
    called with the instrument when it is there, if the layer is then.
    """
    if f"{_LIBRARY}.engine" in sys.modules:
        _begin(recorder, settings, attach)
        return
    _waiting[WeakMethod(attach, lambda gone: _waiting.pop(gone, None))] = ref(recorder), settings
    when_imported(_LIBRARY, _begin_waiting)


def _begin_waiting() -> None:
    for told, (wanted, settings) in list(_waiting.items()):
        recorder, attach = wanted(), told()
        if recorder is not None and attach is not None:
            _begin(recorder, settings, attach)
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
