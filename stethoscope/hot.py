"""The objects that every request passes through: where their fields are, and which of their methods are compiled.

Where the package was built with a C compiler, the fields are in structs of ``_hot.c``, and `quicken` puts the
compiled methods in place, which do the plain case and leave all else to the Python methods that they replace.
Everywhere else the fields are slots, and `quicken` does nothing. Both behave the same: the tests of the middleware and of the
store run both ways. ``STETHOSCOPE_PURE=1`` in the environment of a process keeps it to Python.

In a checkout, ``make compile`` builds the extension in place. One that was built from another ``_hot.c`` is not used.
What runs around every query is compiled apart, from ``_hot_sql.c`` (see `stethoscope.instruments.database.execution`), and so is what adds up
counts when somebody reads them, from ``_hot_lanes.c`` (see `stethoscope.store.lanes`), and what may not be Python where it is called, or be woken
often, from ``_hot_runtime.c`` (see `collector` and `alarm` of `stethoscope.instruments.runtime`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextvars import ContextVar
from importlib import import_module
from time import get_clock_info, perf_counter
from types import ModuleType
from typing import Any, Final, TypeVar
from zlib import crc32

T = TypeVar("T", bound=type)

# As the package sees them, with or without a compiler. What the fields mean is said in the classes named.


class Scalar:
    """Fields of `stethoscope.store.series.Scalar`."""

    __slots__ = ("_bind", "word", "words")


class HistogramSeries:
    """Fields of `stethoscope.store.series.HistogramSeries`."""

    __slots__ = (
        "_bind_block",
        "_no_blocks",
        "blocks",
        "bounds",
        "bucket",
        "bucket_of",
        "edges",
        "lanes",
        "longs",
        "places",
        "word",
        "words",
    )


class RequestSeries:
    """Fields of `stethoscope.store.series.RequestSeries`."""

    __slots__ = ("_duration", "_received", "_sent")


class Inlet:
    """Fields of `stethoscope.middleware.inlet.Inlet`."""

    __slots__ = ("_method", "_scheme", "active", "outcomes", "sends_body")


class Bar:
    """Fields of `stethoscope.middleware.observer.Bar`."""

    __slots__ = ("seconds", "until")


class TimingHeaders:
    """Fields of `stethoscope.middleware.timing.TimingHeaders`."""

    __slots__ = ("forms", "remembered")


class Layer:
    """Fields of `stethoscope.middleware.layer.Layer`."""

    __slots__ = (
        "adds_headers",
        "endpoints",
        "exclusions",
        "failures",
        "inlets",
        "more_headers",
        "sends_id",
        "tell_of_arrival",
        "tell_of_record",
        "tell_of_return",
        "timing",
    )


class Current:
    """Fields of `stethoscope.current.Current`."""

    __slots__ = ("carried", "counted", "id", "over", "route", "scope", "shares", "started", "token", "trace")


class Exchange(Current):
    """Fields of `stethoscope.middleware.exchange.Exchange`."""

    __slots__ = (
        "_headers",
        "_inlet",
        "_last",
        "_layer",
        "_parts",
        "_receive",
        "_recorded",
        "_send",
        "_trailers",
        "disconnected",
        "ended",
        "error",
        "excluded",
        "first_byte",
        "received",
        "sent",
        "status",
    )


class Pending(dict[str, object]):
    """Fields of `stethoscope.exporters.tracing.pending.Pending`."""

    __slots__ = ("request_id", "root_id", "sampled", "scope", "spans", "started", "token")


class Spans:
    """Fields of `stethoscope.exporters.tracing.server_spans.ServerSpans`."""

    __slots__ = ("_bound_of_fresh", "_bound_of_sampled", "_bound_of_unsampled", "_budget", "_var")


class Watch:
    """Fields of `stethoscope.instruments.runtime.loops.Watch`."""

    __slots__ = ("asked", "busy", "period", "told")


class Worker:
    """Fields of `stethoscope.instruments.runtime.worker.Worker`."""

    __slots__ = ("_loop", "_watch")


def quicken(cls: T) -> T:
    """Put the compiled methods of ``cls`` in place: for classes whose base is one of these."""
    return cls


def observe(globals: dict[str, Any], fresh_ids: list[bytes], current: ContextVar[Any]) -> None:
    """Tell the compiled methods where the names of the module `exchange` are, where new correlation IDs come from, and what is current."""


def trace(pending: type[Pending], context: type) -> None:
    """Tell the compiled methods which classes contexts are of."""


def run_on(running_loop: Callable[[], object | None]) -> None:
    """Tell the compiled methods what says which event loop is running."""


def value_of(headers: object, names: tuple[bytes, ...]) -> bytes | None:
    """The value of the first header that has one of these names, in lower case. None also where ``headers`` is no list or tuple:

    anything else might be gone after one reading, and is the app's.
    """
    if isinstance(headers, (list, tuple)):
        for name, value in headers:
            if name in names:
                return value  # type: ignore[no-any-return]
    return None


ONE_CLOCK: Final = get_clock_info("perf_counter").implementation == "clock_gettime(CLOCK_MONOTONIC)"
"""Whether ``perf_counter`` is the clock that compiled code reads, as on Linux. That of macOS is another, which stands still while
the machine sleeps: times of the two cannot be subtracted from one another."""


def extension(name: str) -> ModuleType | None:
    """The compiled module of this name in our package; None where it is not there, not up to date, or not wanted."""
    if os.environ.get("STETHOSCOPE_PURE"):
        return None
    try:
        found = import_module(f"stethoscope.{name}")
    except ImportError:  # built without a compiler
        return None
    return None if _is_stale(name, found.SOURCE) else found


def _is_stale(name: str, source: str) -> bool:
    """Whether an extension was compiled from another source than lies beside it: in a checkout that has been changed since."""
    try:
        with open(os.path.join(os.path.dirname(__file__), f"{name}.c"), "rb") as file:
            return source != f"crc32-{crc32(file.read()):08x}"
    except OSError:  # installed from a wheel, which has no sources
        return False


_hot = extension("_hot")
COMPILED: bool = _hot is not None
"""Whether this process runs the compiled methods."""

if _hot is not None:
    _hot.fall_back_on(value_of)
    _hot.read_for(perf_counter if ONE_CLOCK else None)
    globals().update({name: found for name, found in vars(_hot).items() if name in globals() and name[0] != "_"})
