"""A pool of connections: what it costs to get one, how long it is kept, and how many there are.

Numbers of connections are read from the pool itself, never counted from events, so that they are right after
connections were detached, invalidated or disposed of.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from time import perf_counter
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakSet

from stethoscope import names
from stethoscope.current import CURRENT
from stethoscope.instruments.database.call_site import call_site
from stethoscope.instruments.database.database import HELD_FROM
from stethoscope.instruments.database.starved import starved
from stethoscope.instruments.database.work import Work, work_of
from stethoscope.names.findings import Illness

if TYPE_CHECKING:
    from stethoscope.instruments.database.instrument import Instrument

clock = perf_counter
"""Seconds, monotonic. Replaced by tests."""


_JUST: Final = 1.0


class Numbers(NamedTuple):
    """What a pool says of itself; None for what it does not have."""

    size: int | None = None
    most: int | None = None
    idle: int | None = None
    used: int | None = None
    overflow: int | None = None


class Checkout:
    """A connection that is taken."""

    __slots__ = ("pool", "reused", "site", "starved", "started", "thread", "unseen", "work")

    def __init__(self, pool: PoolWatch, work: Work | None, reused: bool) -> None:
        self.pool = pool
        self.started = clock()
        self.work = work
        self.reused = reused
        self.site = call_site() if pool.leaks else ""
        self.starved = starved() if pool.doubts else 0.0
        """Of the thread that took it, where that can matter."""
        self.thread = get_ident() if pool.doubts else 0
        self.unseen = False
        """Whether something may be asked on it that we are not told of: nobody knows any more how long it is idle."""

    def look_at_gap(self) -> None:
        """It will be committed, rolled back or given back. Not judged where nothing was asked on it: then it was by others than us."""
        work, now = self.work, clock()
        if work is not None and work.quiet_since > self.started and now - work.quiet_since > HELD_FROM:
            self.pool.doubts = True
            if work.waited({self: None, **work.checkouts}, now) > HELD_FROM:
                work.note(Illness.HELD_TRANSACTION, self.pool.name, now - work.quiet_since)

    def answered(self) -> None:
        """The database has answered something that is no query."""
        if self.work is not None and self in self.work.checkouts:
            self.work.quiet_since = clock()

    def just_reused(self) -> bool:
        """Whether it was in the pool until a second ago, and its request was not answered anything since."""
        answered = self.work is not None and self.work.quiet_since > self.started
        return self.reused and not answered and clock() - self.started < _JUST

    def leak(self) -> None:
        """Its request is over, or nobody knows it any more. From now on its pool's connections are followed."""
        self.pool.leaks = True
        if self.work is not None:
            sign = self.work.sign(Illness.LEAKED_CONNECTION, self.pool.name)
            sign.add(clock() - self.started)
            sign.evidence["site"] = self.site


class PoolWatch:
    """All pools of one name in this process: usually one, and its successors."""

    def __init__(self, instrument: Instrument, name: str, read: Callable[[object], Numbers]) -> None:
        recorder = instrument.recorder
        self.name = name
        self._instrument = instrument
        self._read = read
        self._pools: WeakSet[object] = WeakSet()
        self._shown: set[tuple[str, tuple[str, ...]]] = set()
        """Gauges that show what pools have said, by name and labels."""
        self.leaks = False
        """Whether a connection of it was not given back."""
        self.fetches_late = False
        """Whether its database may be at work while rows are fetched, of which we are not told."""
        self.doubts = False
        """Whether a connection of it was kept and nothing asked of it. It may be that its thread had no processor: from now on that is looked at."""
        self.pending = recorder.gauge(names.POOL_PENDING, (name,))
        self.timeouts = recorder.counter(names.POOL_TIMEOUTS, (name,))
        self.wait_time = recorder.histogram(names.POOL_WAIT_TIME, (name,))
        self.use_time = recorder.histogram(names.POOL_USE_TIME, (name,))
        self.create_time = recorder.histogram(names.POOL_CREATE_TIME, (name,))

    def add(self, pool: object) -> None:
        self._pools.add(pool)

    def taken(self, asked: float, there: float, reused: bool) -> Checkout:
        """A connection was asked for at ``asked``, was ``there``, and is given out now."""
        request = CURRENT.get()
        work = None if request is None else work_of(request)
        checkout = Checkout(self, work, reused)
        self.wait_time.record(max(there - asked, 0.0))
        if work is not None:
            if not work.checkouts:
                work.quiet_since = checkout.started
            work.checkouts[checkout] = None
        return checkout

    def given_back(self, checkout: Checkout, lost: bool = False) -> None:
        """It is the pool's again, or nobody's. ``lost`` says that it was forgotten. Never raises."""
        try:
            now = clock()
            self.use_time.record(max(now - checkout.started, 0.0))
            work = checkout.work
            if lost:
                checkout.leak()
            if work is not None and work.checkouts.pop(checkout, work) is None:
                checkout.look_at_gap()
                if not work.checkouts:
                    work.quiet_since = float("inf")
        except Exception as error:
            self._instrument.failed(error)

    def sample(self) -> None:
        """Put what the pools say now into the gauges: once they are gone, zero."""
        found = [self._read(pool) for pool in list(self._pools)]
        recorder = self._instrument.recorder
        for metric, labels, values in (
            (names.POOL_CONNECTIONS, (self.name, "idle"), [one.idle for one in found]),
            (names.POOL_CONNECTIONS, (self.name, "used"), [one.used for one in found]),
            (names.POOL_MAX, (self.name,), [one.most for one in found]),
            (names.POOL_SIZE, (self.name,), [one.size for one in found]),
            (names.POOL_OVERFLOW, (self.name,), [one.overflow for one in found]),
        ):
            known = [value for value in values if value is not None]
            series = metric.name, labels
            if known or series in self._shown:
                recorder.gauge(metric, labels).set(float(sum(known)))
            if known:
                self._shown.add(series)
            else:
                self._shown.discard(series)
