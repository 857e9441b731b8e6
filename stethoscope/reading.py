"""Reading what was recorded, from any code of an app or a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stethoscope.instruments.labelled import declare
from stethoscope.settings import Settings
from stethoscope.store.recorder import SERIES_CAP
from stethoscope.store.registry import default_recorder

if TYPE_CHECKING:
    from stethoscope.store.snapshot import Snapshot


def snapshot(service: str | None = None) -> Snapshot:
    """A merged view of all workers of this process's service, or of another service of this user on this host.

    ``service`` is a name that was set explicitly (by ``service=``, ``STETHOSCOPE_SERVICE`` or
    ``OTEL_SERVICE_NAME``); it is looked for in ``STETHOSCOPE_DIR`` or the default place. For an unknown name the
    snapshot has no workers, and only families about the store itself. Takes milliseconds: not for an event loop's thread. Raises `SettingsError` when the
    environment has mistakes.
    """
    if service is None:
        declare()
        return default_recorder().snapshot()
    from stethoscope.store.discovery import Discovery
    from stethoscope.store.gather import Gatherer
    from stethoscope.store.home import default_places, safe_name

    directory = Settings.resolve().dir
    # Only looked for: reading a service does not make one.
    found, _ = Discovery([*([directory] if directory else []), *default_places()], services=(service,)).look({})
    gatherer = Gatherer(service, found.get(safe_name(service)), list, SERIES_CAP)
    try:
        return gatherer.gather()
    finally:
        gatherer.close()
