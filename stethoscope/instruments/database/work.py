"""What one request has done in databases so far: counted as it goes, looked at when the request is over."""

from __future__ import annotations

from collections.abc import Callable, Collection
from threading import get_ident
from typing import TYPE_CHECKING, Final

from stethoscope.current import Current, Share
from stethoscope.instruments.database.call_site import call_site
from stethoscope.instruments.database.execution import Run, add_up
from stethoscope.instruments.database.query import Query, Statement
from stethoscope.instruments.database.starved import starved
from stethoscope.names.findings import Illness

if TYPE_CHECKING:
    from stethoscope.instruments.database.ahead import Ahead, Looks
    from stethoscope.instruments.database.detection import Found
    from stethoscope.instruments.database.instrument import SlowQuery
    from stethoscope.instruments.database.pool import Checkout

CARRIED: Final = "database"
"""What a request carries it under."""
SHARE: Final = "db"
"""What it is called in Server-Timing."""

_MOST_QUERIES: Final = 2_000
_MOST_SIGNS: Final = 50


class Uses:
    """What a request did with one query."""

    __slots__ = (
        "apart",
        "block_at",
        "count",
        "ended",
        "identical",
        "is_part",
        "loaders",
        "parameters",
        "seconds",
        "sites",
        "worst",
        "writes",
    )

    def __init__(self) -> None:
        self.count = 0
        self.seconds = self.worst = 0.0
        self.parameters: dict[int, int] = {}
        """By key, how often with the same ones: one after the other, with nothing written in between."""
        self.apart = 0
        """Of the different ones, how many were asked for the first time after a pause: they wait for news."""
        self.identical = 1
        """The most of them."""
        self.ended = 0.0
        self.writes = 0
        self.is_part = False
        self.sites: dict[str, int] = {}
        """Of those that were looked at."""
        self.loaders: dict[object, int] = {}
        """The same, of what the library says about them."""
        self.block_at = ""
        """A line from which it was asked on the event loop's thread, so that everything waited."""


class Sign:
    """A sign of an illness in one request: how often it showed, and the worst of it."""

    __slots__ = ("evidence", "seconds", "times", "worst")

    def __init__(self) -> None:
        self.times = 0
        self.seconds = 0.0
        self.worst = 0.0
        self.evidence: dict[str, object] = {}

    def add(self, seconds: float) -> bool:
        """Whether it is the worst so far."""
        return self.add_all(1, seconds, seconds)

    def add_all(self, times: int, seconds: float, worst: float, site: str = "") -> bool:
        """Several, and where the worst of them was."""
        self.times += times
        self.seconds += seconds
        if worst < self.worst:
            return False
        self.worst = worst
        self.evidence["site"] = site
        return True


class Work(Share):
    """A request's database work, as a share of its time.

    While the request runs, operations are only put down (``runs``), because what is done between two queries finds
    nothing of ours in the processor's caches. They are counted together when somebody asks: at the latest when the
    request has ended, after a pause, or after a thousand. Threads that work for one request at the same time may
    lose a count to each other.
    """

    __slots__ = (
        "ahead",
        "checkouts",
        "found",
        "looks",
        "questions",
        "quiet_since",
        "runs",
        "signs",
        "slow",
        "uses",
        "writes",
    )

    noun = "queries"

    def __init__(self) -> None:
        super().__init__()
        self.runs: dict[Statement, list[Run]] = {}
        """Operations that are not counted yet."""
        self.uses: dict[Query, Uses] = {}
        self.writes = 0
        self.checkouts: dict[Checkout, None] = {}
        """Connections that it has taken and not given back."""
        self.quiet_since = float("inf")
        """When it last did something with one of them."""
        self.signs: dict[tuple[Illness, object], Sign] = {}
        self.ahead: dict[Ahead, tuple[Query, str]] = {}
        """What was loaded ahead, by which query and line, where the request is watched for that."""
        self.looks: Looks | None = None
        """What it looked at since."""
        self.slow: list[SlowQuery] = []
        """Queries that were slow, until they are recorded with the request."""
        self.questions: list[Callable[[str], None]] = []
        """To be asked once the route is known: plans of queries that took long."""
        self.found: list[Found] = []
        """What turned out to be wrong, once the app has left the request."""

    def so_far(self) -> tuple[float, int]:
        self.fold()
        return super().so_far()

    def fold(self) -> None:
        """Count what was put down."""
        for statement, runs in list(self.runs.items()):
            # Another thread may go on with the list; what it adds from here on is for the next time.
            mine = runs[:]
            del runs[: len(mine)]
            if mine:
                self.pieces += len(mine)
                self.seconds += add_up(self.uses_of(statement), mine, statement.record, statement.record_rows)

    def runs_of(self, statement: Statement) -> list[Run]:
        """A list for a statement's operations, that nobody may have a use for if there are too many statements."""
        if len(self.runs) >= _MOST_QUERIES:
            self.fold()
            self.runs.clear()
        return self.runs.setdefault(statement, [])

    def uses_of(self, statement: Statement) -> Uses:
        uses = self.uses.get(statement.query)
        if uses is None:
            uses = Uses()
            if len(self.uses) < _MOST_QUERIES:
                self.uses[statement.query] = uses
        uses.is_part = uses.is_part or statement.is_part
        return uses

    def sign(self, illness: Illness, subject: object) -> Sign:
        """Of this illness at this place. Those beyond a number are not kept."""
        sign = self.signs.get((illness, subject))
        if sign is None:
            sign = Sign()
            if len(self.signs) < _MOST_SIGNS:
                self.signs[illness, subject] = sign
        return sign

    def waited(self, checkouts: Collection[Checkout], until: float) -> float:
        """Seconds since it did something with a connection, as far as it was not its thread that had to wait for a processor.

        How long that was is known from when one of these was taken, where its pool is in doubt; else from when the thread was
        started, so that less may come out than it was, and never more. None where something may have been asked that we do not see.
        """
        if any(one.unseen or (one.pool.fetches_late and self._has_read_last()) for one in checkouts):
            return 0.0
        thread = get_ident()
        known = [one.starved for one in checkouts if one.thread == thread and one.started <= self.quiet_since]
        return until - self.quiet_since - (starved() - max(known, default=0.0))

    def _has_read_last(self) -> bool:
        """Whether what it did last with a connection was a query whose rows it may have fetched since."""
        since = self.quiet_since
        waiting = [run[2] for statement, runs in list(self.runs.items()) if statement.reads for run in runs[-1:]]
        return since in waiting or any(uses.ended == since for query, uses in list(self.uses.items()) if query.reads)

    def note(self, illness: Illness, subject: object, seconds: float) -> Sign:
        """A sign of it, at the line that runs now."""
        sign = self.sign(illness, subject)
        if sign.add(seconds):
            sign.evidence["site"] = call_site()
        return sign


def work_of(request: Current) -> Work | None:
    """What a request has done, made if need be; None for all that is no request, or is over."""
    if request.over:
        return None
    carried = request.carried
    if carried is not None:
        work = carried.get(CARRIED)
        if work is not None:
            return work  # type: ignore[return-value]  # nobody else keeps something under our name
    return _begin(request)


def _begin(request: Current) -> Work | None:
    if request.scope["type"] != "http":
        return None
    if request.carried is None:
        request.carried = {}
    work = request.carried.setdefault(CARRIED, Work())
    if request.shares is None:
        request.shares = {}
    request.shares.setdefault(SHARE, work)  # type: ignore[arg-type]
    return work  # type: ignore[return-value]
