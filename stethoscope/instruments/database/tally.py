"""What was asked of databases while a test ran: counted one by one, each with its line."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from stethoscope.current import CURRENT
from stethoscope.instruments.database.call_site import call_site
from stethoscope.instruments.database.detection import Found, repetitions
from stethoscope.instruments.database.execution import key_of
from stethoscope.instruments.database.outline import Outline, outline
from stethoscope.instruments.database.work import Uses
from stethoscope.names.findings import Illness

_TEXTS: Final = 2_000


class Asked(NamedTuple):
    """One query, wherever it was sent from. ``loads`` is what the ORM sent it for, where that is known."""

    text: str
    fingerprint: str
    times: int
    seconds: float
    sites: Counter[str]
    loads: Counter[object]


class Tally:
    """Any thread may add to it, and many do where an app is tested."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outlines: dict[str, Outline] = {}
        # The requests themselves are kept, so that no two of them have one identity.
        self._uses: dict[tuple[object, str], tuple[Outline, Uses]] = {}

    def add(self, system: str, sql: str, parameters: Any, *, many: bool, loader: object) -> Uses:
        """A query is sent now, by the running code. Returns what it is counted in, for its seconds to be added."""
        site, request = call_site(), CURRENT.get()
        with self._lock:
            seen = self._outline(system, sql)
            _, uses = self._uses.setdefault((request, seen.fingerprint), (seen, Uses()))
            uses.count += 1
            uses.is_part = uses.is_part or seen.is_part
            uses.sites[site] = uses.sites.get(site, 0) + 1
            uses.loaders[loader] = uses.loaders.get(loader, 0) + 1
            key = key_of(parameters) if seen.operation == "SELECT" and not many else None
            if key is not None:
                uses.parameters[key] = uses.parameters.get(key, 0) + 1
        return uses

    def _outline(self, system: str, sql: str) -> Outline:
        seen = self._outlines.get(sql)
        if seen is None:
            if len(self._outlines) >= _TEXTS:
                self._outlines.clear()
            seen = self._outlines[sql] = outline(sql, system)
        return seen

    @property
    def queries(self) -> int:
        return sum(uses.count for _, uses in self._uses.values())

    @property
    def seconds(self) -> float:
        return sum(uses.seconds for _, uses in self._uses.values())

    def asked(self) -> list[Asked]:
        """By query, the most frequent first."""
        together: dict[str, Asked] = {}
        for seen, uses in self._uses.values():
            before = together.get(seen.fingerprint, Asked(seen.text, seen.fingerprint, 0, 0.0, Counter(), Counter()))
            before.sites.update(uses.sites)
            before.loads.update({loader: count for loader, count in uses.loaders.items() if loader is not None})
            together[seen.fingerprint] = before._replace(
                times=before.times + uses.count, seconds=before.seconds + uses.seconds
            )
        return sorted(together.values(), key=lambda one: -one.times)

    def n_plus_one(self) -> Iterator[Found]:
        """In each request on its own, and in what is asked outside of requests."""
        for seen, uses in self._uses.values():
            for found in repetitions(seen, uses, float("inf")):
                if found.illness is Illness.N_PLUS_ONE:
                    yield found
