"""What a request that is followed did in databases, as JSON: its queries by fingerprint, and what was wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from stethoscope.current import Current
from stethoscope.instruments.database.instrument import Named
from stethoscope.instruments.database.query import Query
from stethoscope.instruments.database.work import CARRIED, Work

_MOST_QUERIES: Final = 20
_MOST_TEXT: Final = 300


def followed(current: Current) -> dict[str, object]:
    """Those queries that took longest, of at most twenty fingerprints, and all findings. Empty without any database work."""
    work = (current.carried or {}).get(CARRIED)
    if not isinstance(work, Work):
        return {}
    seconds, count = work.so_far()
    queries = sorted(_queries(work), key=_seconds, reverse=True)
    return {
        "query_count": count,
        "query_seconds": round(seconds, 6),
        "queries": queries[:_MOST_QUERIES],
        "findings": [
            {"kind": found.illness, "severity": found.severity, "subject": found.subject, "evidence": found.evidence}
            for found in work.found
        ],
    }


def _seconds(query: dict[str, object]) -> float:
    seconds = query["seconds"]
    assert isinstance(seconds, float)
    return seconds


def _queries(work: Work) -> Iterator[dict[str, object]]:
    """All that were answered, and those that were slow to fail."""
    slow_sites = {one.query: one.site for one in work.slow}
    for query, uses in work.uses.items():
        site = max(uses.sites, key=uses.sites.__getitem__, default="") or slow_sites.get(query, "")
        yield _query(query, uses.count, uses.seconds, site)
    for one in work.slow:
        if one.query not in work.uses:
            yield _query(one.query, 1, one.seconds, one.site)


def _query(query: Query | Named, times: int, seconds: float, site: str) -> dict[str, object]:
    return {
        "fingerprint": query.fingerprint,
        "text": query.text[:_MOST_TEXT],
        "times": times,
        "seconds": round(seconds, 6),
        "site": site,
    }
