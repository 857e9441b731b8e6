"""What one request has done in databases so far: counted as it goes, looked at when the request is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stethoscope.current import Current, Share
from stethoscope.instruments.database.call_site import call_site
from stethoscope.instruments.database.query import Query
from stethoscope.names.findings import Illness

if TYPE_CHECKING:
    from stethoscope.instruments.database.detection import Found
    from stethoscope.instruments.database.instrument import SlowQuery
    from stethoscope.instruments.database.pool import Checkout

CARRIED: Final = "database"
"""What a request carries it under."""
SHARE: Final = "db"
"""What it is called in Server-Timing."""

_MOST_QUERIES: Final = 2_000
_MOST_PARAMETERS: Final = 10_000
_MOST_SIGNS: Final = 50
_APART: Final = 0.05
"""Seconds between two identical queries from which on they are a wait for news, and not a repetition."""


class Uses:
    """What a request did with one query that reads."""

    __slots__ = ("count", "ended", "identical", "loaders", "pages", "parameters", "seconds", "sites", "writes")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self.parameters: dict[int, int] = {}
        """How often with the same ones: one after the other, with nothing written in between."""
        self.identical = 1
        """The most of them."""
        self.ended = 0.0
        self.writes = 0
        self.pages = False
        self.sites: dict[str, int] = {}
        """Of those that were looked at."""
        self.loaders: dict[object, int] = {}
        """The same, of what the library says about them."""

    def add(self, key: int, started: float, writes: int) -> None:
        """One more with parameters of this key."""
        times = self.parameters.get(key)
        if times is None:
            if len(self.parameters) < _MOST_PARAMETERS:
                self.parameters[key] = 1
        elif writes == self.writes and started - self.ended < _APART:
            self.parameters[key] = times = times + 1
            if times > self.identical:
                self.identical = times
        self.writes = writes


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
        self.times += 1
        self.seconds += seconds
        if seconds < self.worst:
            return False
        self.worst = seconds
        return True


class Work(Share):
    """A request's database work. One at a time: threads that work for one request may lose a count to each other."""

    __slots__ = ("checkouts", "eager", "found", "quiet_since", "signs", "slow", "touched", "uses", "writes")

    noun = "queries"

    def __init__(self) -> None:
        super().__init__()
        self.uses: dict[Query, Uses] = {}
        self.writes = 0
        self.checkouts: dict[Checkout, None] = {}
        """Connections that it has taken and not given back."""
        self.quiet_since = 0.0
        """When it last did something with one of them."""
        self.signs: dict[tuple[Illness, object], Sign] = {}
        self.eager: set[object] = set()
        """Relationships that were loaded ahead."""
        self.touched: set[object] = set()
        """Relationships that were looked at."""
        self.slow: list[SlowQuery] = []
        """Queries that were slow, until they are recorded with the request."""
        self.found: list[Found] = []
        """What turned out to be ill, once the app has left the request."""

    def uses_of(self, query: Query) -> Uses | None:
        uses = self.uses.get(query)
        if uses is None and len(self.uses) < _MOST_QUERIES:
            uses = self.uses[query] = Uses()
        return uses

    def sign(self, illness: Illness, subject: object) -> Sign:
        """Of this illness at this place. Those beyond a number are not kept."""
        sign = self.signs.get((illness, subject))
        if sign is None:
            sign = Sign()
            if len(self.signs) < _MOST_SIGNS:
                self.signs[illness, subject] = sign
        return sign

    def note(self, illness: Illness, subject: object, seconds: float) -> None:
        """A sign of it, at the line that runs now."""
        sign = self.sign(illness, subject)
        if sign.add(seconds):
            sign.evidence["site"] = call_site()


def work_of(current: Current | None) -> Work | None:
    """What a request has done, made if need be; None for all that is no request, or is over."""
    if current is None or current.over:
        return None
    carried = current.carried
    if carried is not None:
        work = carried.get(CARRIED)
        if work is not None:
            return work  # type: ignore[return-value]  # nobody else keeps something under our name
    return _begin(current)


def _begin(current: Current) -> Work | None:
    if current.scope["type"] != "http":
        return None
    if current.carried is None:
        current.carried = {}
    work = current.carried.setdefault(CARRIED, Work())
    if current.shares is None:
        current.shares = {}
    current.shares.setdefault(SHARE, work)  # type: ignore[arg-type]
    return work  # type: ignore[return-value]
