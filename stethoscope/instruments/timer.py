"""Timing by name: how long an operation of the app takes, without a metric of its own."""

from __future__ import annotations

from stethoscope import names
from stethoscope.current import add_share
from stethoscope.error_type import error_type
from stethoscope.instruments.definitions import label_value
from stethoscope.instruments.recording import report
from stethoscope.instruments.stopwatch import Stopwatch
from stethoscope.store.registry import default_recorder


class Timer(Stopwatch):
    """See `timer`."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def __repr__(self) -> str:
        return f"timer({self._name!r})"

    def stopped(self, seconds: float, error: BaseException | None) -> None:
        try:
            add_share(self._name, seconds)
            labels = (self._name, "" if error is None else error_type(error))
            default_recorder().histogram(names.TIMER_DURATION, labels).record(seconds)
        except Exception as failure:
            report(repr(self), failure)


def timer(name: str) -> Timer:
    """Times an operation: ``with stethoscope.timer("checkout"): ...``, or as a decorator.

    Each block, or call of a decorated function, is one observation in seconds of
    ``stethoscope_timer_duration_seconds`` with the labels ``name`` and ``error_type``, which is the
    class of the exception that ended the block, or empty. In a request it shows in ``Server-Timing``
    too, if it ends before the response starts; ``app``, ``db`` and ``queue`` are ours there, and get an underscore.

    Decorates functions, coroutine functions and generators of both kinds; the block is their whole body.
    One timer can be used by any number of threads and tasks at once, and inside of itself. The name
    becomes a label: take one for an operation, never one for a user or an order; 256 characters are kept.
    Raises TypeError for a name that is no text, ValueError for an empty one; recording raises nothing.
    """
    if not isinstance(name, str):
        raise TypeError(f"timer() takes the name of an operation, such as timer('checkout'), got {name!r}")
    if not name.strip():
        raise ValueError("timer() takes the name of an operation, got an empty string")
    return Timer(label_value(name))
