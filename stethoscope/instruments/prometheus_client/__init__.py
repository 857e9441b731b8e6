"""What the user registered with prometheus_client, right across workers.

`adopt` makes the counters, gauges, histograms and summaries of its default registry write into a
recorder as well, so that they are families of a snapshot like any other. `foreign` renders the rest
(infos, enums, custom collectors) from the worker that answers.

The one seam is the class of prometheus_client's values (`values.ValueClass`), which its own
multi-process mode exchanges too: every metric keeps its numbers in such objects and reads the class
anew for each. A histogram adds each observation as it is to the value of its ``_sum``, so that the
seam sees whole observations, and our distribution can answer quantiles. What is relied upon is tried
out at adoption; if it is not as expected, prometheus_client is left as it was.

prometheus_client is never imported for it. If the app imports it later, it is adopted then.
"""

from __future__ import annotations

import logging
import sys
from functools import cache
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from stethoscope.instruments.arrival import when_imported
from stethoscope.store.recorder import Recorder

if TYPE_CHECKING:
    from stethoscope.store.snapshot import Snapshot

logger = logging.getLogger("stethoscope")

_LIBRARY: Final = "prometheus_client"
_waiting: Final[WeakSet[Recorder]] = WeakSet()


def adopt(recorder: Recorder) -> None:
    """From now on `recorder` gets what prometheus_client's default registry counts in this process.

    What was counted before is carried over, except what a forked process inherited from its parent.
    Each recorder of a process gets everything. Doing it twice is doing it once. Any thread. Nothing
    is done while prometheus_client's own multi-process mode is on. Never raises.
    """
    if recorder in _waiting:
        return
    _waiting.add(recorder)
    if f"{_LIBRARY}.registry" in sys.modules:
        _adopt_waiting()
    else:
        when_imported(_LIBRARY, _adopt_waiting)


def _adopt_waiting() -> None:
    for recorder in list(_waiting):
        try:
            # Not before: this imports prometheus_client.
            from stethoscope.instruments.prometheus_client import values

            values.adopt(recorder)
        except Exception as error:
            recorder.failed("prometheus_client", error)


def foreign(snapshot: Snapshot, openmetrics: bool, names: frozenset[str] | None = None) -> bytes:
    """The families of prometheus_client's default registry that ``snapshot`` does not have, none under a name of its samples.

    Rendered by prometheus_client itself, as OpenMetrics 1.0 (without the closing ``# EOF``) or else
    as Prometheus text 0.0.4. ``names`` limits it to families of which it has the name or a sample's
    name. It runs the user's collectors: not for an event loop's thread. A collector that fails is left
    out, with one warning. Empty while prometheus_client is not imported. Never raises.
    """
    if f"{_LIBRARY}.registry" not in sys.modules:
        return b""
    try:
        from stethoscope.instruments.prometheus_client import remainder
    except ImportError as error:
        _warn_once(str(error))
        return b""
    return remainder.render(snapshot, openmetrics, names)


@cache
def _warn_once(reason: str) -> None:
    logger.warning("what was registered with prometheus_client is left out of scrapes: %s", reason)
