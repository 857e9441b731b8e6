"""Timing of queries by name: for those that no instrument sees, and for what takes several."""

from __future__ import annotations

from stethoscope import names
from stethoscope.current import CURRENT, add_share
from stethoscope.error_type import error_type
from stethoscope.instruments.definitions import label_value
from stethoscope.instruments.recording import report
from stethoscope.instruments.stopwatch import Stopwatch
from stethoscope.store.registry import default_recorder


class Monitor(Stopwatch):
    """See `monitor_query`."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def __repr__(self) -> str:
        return f"monitor_query({self._name!r})"

    def stopped(self, seconds: float, error: BaseException | None) -> None:
        try:
            add_share(self._name, seconds)
            labels = (self._name, "" if error is None else error_type(error))
            recorder = default_recorder()
            recorder.histogram(names.NAMED_QUERY_DURATION, labels).record(seconds)
            # Not before there is one: it takes time to import.
            from stethoscope.instruments.database.instrument import instrument_of
            from stethoscope.settings import Settings

            instrument_of(recorder, Settings.resolve()).note_slow_block(self._name, seconds, CURRENT.get())
        except Exception as failure:
            report(repr(self), failure)


def monitor_query(name: str) -> Monitor:
    """Times database work by name: ``with stethoscope.monitor_query("open orders"): ...``, or as a decorator.

    As `stethoscope.timer`, for sync and async code, into ``stethoscope_db_named_query_duration_seconds`` in seconds,
    with the labels ``name`` and ``error_type``. What takes longer than the threshold ``slow_query`` is among the
    slow queries under its name. Queries that are seen by themselves are counted as ever, and not a second time.
    Raises TypeError for a name that is no text, ValueError for an empty one; recording raises nothing.
    """
    if not isinstance(name, str):
        raise TypeError(f"monitor_query() takes the name of a query, such as 'open orders', got {name!r}")
    if not name.strip():
        raise ValueError("monitor_query() takes the name of a query, got an empty string")
    return Monitor(label_value(name))
