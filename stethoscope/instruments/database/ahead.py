"""What a request had loaded ahead, and whether it looked at it.

Only some requests are watched for that, because it makes each look at an object slower: the first ones, then
one a second. What such a request never looked at is a finding only if no other that was watched on its route has either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final, NamedTuple

UNUSED_FROM: Final = 3
"""Watched requests of a route, all of which did without: fewer may have had no use for it by chance."""

_ALL_OF_FIRST: Final = 10
_EVERY: Final = 1.0
"""Seconds between two watched requests, later on."""
_MOST_KNOWN: Final = 2_000


class Ahead(NamedTuple):
    """A relationship that a query loads ahead: attribute ``key`` of ``owner``, with objects of ``target``.

    ``subject`` is its name, such as ``Order.items``; ``way`` is "selectin", "joined" or "subquery"; ``configured``
    says that the relationship itself asks for it, and no option of the query.
    """

    subject: str
    owner: type
    key: str
    target: type
    way: str
    configured: bool


class Looks:
    """What a watched request looked at: attributes, with the classes that they were looked up on."""

    __slots__ = ("end", "seen", "since")

    def __init__(self, end: Callable[[], None]) -> None:
        self.end = end
        """To be called when the request is over."""
        self.seen: set[tuple[type, str]] = set()
        self.since = monotonic()

    def missed(self, ahead: Ahead) -> bool:
        """Whether the owner was looked at, and nothing of what came with it.

        Objects of the target may be reached in other ways too, as by the session's identity map: when any of
        them was looked at, nothing is said. Nor where nobody looked at the owners: they may have gone elsewhere whole, as
        into JSON or a cache.
        """
        owner = {key for one, key in self.seen if issubclass(one, ahead.owner)}
        return bool(owner - {ahead.key}) and ahead.key not in owner and not self._saw(ahead.target)

    def _saw(self, target: type) -> bool:
        return any(issubclass(one, target) for one, _ in self.seen)


class Chances:
    """Which requests are watched, and what came of it in this process. Threads may lose a count to each other."""

    def __init__(self) -> None:
        self._watched: dict[Ahead, tuple[int, float]] = {}
        """How often, and when last."""
        self._missed: dict[tuple[str, Ahead], int] = {}
        """By route, in how many requests; below zero where one has looked at it."""

    def due(self, aheads: Iterable[Ahead]) -> bool:
        """Whether the request that runs is to be watched for one of these. It counts as watched then."""
        now, due = monotonic(), False
        for ahead in aheads:
            times, last = self._watched.get(ahead, (0, now))
            if times < _ALL_OF_FIRST or now - last >= _EVERY:
                if len(self._watched) >= _MOST_KNOWN:
                    self._watched.clear()
                self._watched[ahead] = (times + 1, now)
                due = True
        return due

    def missed(self, route: str, ahead: Ahead, looks: Looks) -> int:
        """Count a watched request. In how many so far it was missed; 0 while that may be chance."""
        if not looks.missed(ahead):
            if looks.seen:
                self._missed[route, ahead] = -1
            return 0
        missed = self._missed.get((route, ahead), 0)
        if missed < 0:
            return 0
        if len(self._missed) >= _MOST_KNOWN:
            self._missed.clear()
        self._missed[route, ahead] = missed + 1
        return missed + 1 if missed + 1 >= UNUSED_FROM else 0
