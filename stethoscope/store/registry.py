"""The recorders of this process: one for each service, and the one that user metrics go to."""

from __future__ import annotations

import os
import sys
import threading
from typing import Final
from weakref import WeakValueDictionary

from stethoscope.settings import Settings
from stethoscope.store.home import find_folder
from stethoscope.store.recorder import Recorder

_Key = tuple[str, bool, str | None, int | None]
"""Name of the service, whether it was named explicitly, where segments live, and the group that may read them."""

_lock: Final = threading.Lock()
_recorders: Final[WeakValueDictionary[_Key, Recorder]] = WeakValueDictionary()
"""The oldest first. A recorder lives as long as somebody records into it: apps come and go, for example in tests."""
_default: Recorder | None = None
"""Set once somebody has asked for it, and kept for good: user metrics are module-level names."""
_provisional: _Key | None = None
"""The default recorder's key while nobody has named its service: the first app to ask for one takes it over."""


def recorder_for(settings: Settings, fallback_name: str) -> Recorder:
    """The recorder for these settings, made if need be; ``fallback_name`` names a service that was not named.

    The first one asked for becomes the default. What user metrics have recorded before, as can happen
    while a module is imported, moves along.
    """
    global _provisional
    with _lock:
        recorder = _find(settings, fallback_name)
        _provisional = None
        return recorder


def default_recorder() -> Recorder:
    """Where metrics of the user's own go: the first app's service, or in a script that of the environment.

    Raises `SettingsError` when the environment has mistakes.
    """
    global _default, _provisional
    if _default is not None:
        return _default
    settings = Settings.resolve()
    with _lock:
        if _default is None:
            _default = next(iter(_recorders.values()), None)
        if _default is None:
            _default = _find(settings, main_module())
            if settings.service is None:
                _provisional = _key(settings, main_module())
        return _default


def _key(settings: Settings, fallback_name: str) -> _Key:
    return (settings.service or fallback_name, settings.service is not None, settings.dir, settings.group)


def _find(settings: Settings, fallback_name: str) -> Recorder:
    key = _key(settings, fallback_name)
    recorder = _recorders.get(key)
    if recorder is None:
        service, shared, directory, group = key
        find = find_folder(service, shared=shared, directory=directory, group=group)
        if _provisional is not None:
            recorder = _recorders.pop(_provisional)
            recorder.move(find, service)
        else:
            recorder = Recorder(service, find)
        _recorders[key] = recorder
    return recorder


def main_module() -> str:
    """What the running program is called: ``package.module`` for ``python -m``, else its file's name."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    path = getattr(main, "__file__", None) or sys.argv[0] or "python"
    return os.path.splitext(os.path.basename(path))[0] or "python"
