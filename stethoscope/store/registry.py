"""The recorders of this process: one for each service, and the one that user metrics go to."""

from __future__ import annotations

import os
import sys
import threading
from typing import Final

from stethoscope.settings import Settings
from stethoscope.store.home import find_folder
from stethoscope.store.recorder import Recorder

_lock: Final = threading.Lock()
_recorders: Final[dict[tuple[str, bool, str | None], Recorder]] = {}
_default: Recorder | None = None
_default_is_provisional = False


def recorder_for(settings: Settings, fallback_name: str) -> Recorder:
    """The recorder for these settings, made if need be; ``fallback_name`` names a service that was not named.

    The first one asked for becomes the default. What user metrics have recorded before, as can happen
    while a module is imported, moves along.
    """
    global _default, _default_is_provisional
    service, shared = settings.service or fallback_name, settings.service is not None
    key = (service, shared, settings.directory)
    with _lock:
        if key not in _recorders:
            find = find_folder(service, shared=shared, directory=settings.directory)
            if _default is not None and _default_is_provisional:
                _default.move(find, service)
                _recorders[key], _default_is_provisional = _default, False
            else:
                _recorders[key] = Recorder(service, find)
        _default = _default or _recorders[key]
        return _recorders[key]


def default_recorder() -> Recorder:
    """Where metrics of the user's own go: the first app's service, or in a script that of the environment."""
    global _default, _default_is_provisional
    if _default is None:
        settings = Settings.resolve()
        recorder_for(settings, main_module())
        _default_is_provisional = settings.service is None
        assert _default is not None
    return _default


def main_module() -> str:
    """What the running program is called: ``package.module`` for ``python -m``, else its file's name."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    path = getattr(main, "__file__", None) or sys.argv[0] or "python"
    return os.path.splitext(os.path.basename(path))[0] or "python"
