"""What was wrong with a request's database work, told from what was counted while it ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stethoscope.instruments.database.ahead import Looks
from stethoscope.instruments.database.outline import Outline
from stethoscope.instruments.database.query import Query
from stethoscope.instruments.database.work import Sign, Uses, Work
from stethoscope.names.findings import Illness, Severity

if TYPE_CHECKING:
    from stethoscope.instruments.database.instrument import Instrument

N_PLUS_ONE_FROM: Final = 5
"""Executions of one query with different parameters, from one place."""
_MANY: Final = 100
REPEATED_FROM: Final = 3
"""Executions of one query with the same parameters."""
_MOST_TEXT: Final = 600


class Loader(NamedTuple):
    """What the library knows of a query that it makes by itself.

    ``way`` is "lazy" for a relationship that was looked at and not there, "refresh" for objects that had
    expired, "columns" for columns that were left out before. ``subject`` is what was loaded, such as
    ``Order.items``; ``many`` whether that is a collection.
    """

    way: str
    subject: str
    many: bool = False


class Found(NamedTuple):
    illness: Illness
    severity: Severity
    subject: str
    evidence: Mapping[str, object]


def detect(instrument: Instrument, route: str, work: Work, request_id: str) -> None:
    """Report what was wrong. Takes a few dictionary lookups where nothing was."""
    work.found = list(_found(instrument, route, work))
    for found in work.found:
        evidence = {key: value for key, value in found.evidence.items() if value not in (None, "")}
        instrument.found(
            found.illness, found.severity, route, found.subject[:128], {**evidence, "request_id": request_id}
        )


def _found(instrument: Instrument, route: str, work: Work) -> Iterator[Found]:
    critical = instrument.thresholds.request_p95.warn or float("inf")
    for query, uses in work.uses.items():
        if uses.block_at:
            sign = work.sign(Illness.BLOCKING_QUERY, None)
            sign.add_all(uses.count, uses.seconds, uses.worst, uses.block_at)
        if uses.count >= REPEATED_FROM:
            yield from repetitions(query, uses, critical)
    if work.looks is not None and not work.writes:
        yield from _unused(instrument, route, work, work.looks)
    for (illness, subject), sign in work.signs.items():
        yield _from_sign(illness, subject, sign, critical)


def repetitions(query: Query | Outline, uses: Uses, critical: float) -> Iterator[Found]:
    different = len(uses.parameters) - uses.apart
    site, share = _most(uses.sites)
    facts = {"queries": uses.count, "seconds": round(uses.seconds, 6), "site": site, **_facts(query)}
    severe = uses.count >= _MANY or uses.seconds > critical
    if different >= N_PLUS_ONE_FROM and share >= 0.5 and not uses.is_part:
        loader, _ = _most(uses.loaders)
        subject = query.fingerprint
        if isinstance(loader, Loader):
            subject = loader.subject
            facts |= {"loader": loader.way, "relationship": loader.subject, "many": loader.many}
        severity = Severity.CRITICAL if severe else Severity.WARNING
        yield Found(Illness.N_PLUS_ONE, severity, subject, {**facts, "parameters": different})
    elif uses.identical >= REPEATED_FROM:
        yield Found(Illness.REPEATED_QUERY, Severity.WARNING, query.fingerprint, {**facts, "identical": uses.identical})


def _unused(instrument: Instrument, route: str, work: Work, looks: Looks) -> Iterator[Found]:
    """What was loaded ahead for nothing. After a write nothing is said: it may have been loaded for cascades."""
    for ahead, (query, site) in work.ahead.items():
        requests = instrument.chances.missed(route, ahead, looks)
        if requests:
            uses = work.uses.get(query)
            evidence = {
                "relationship": ahead.subject,
                "way": ahead.way,
                "configured": ahead.configured,
                "requests": requests,
                "seconds": round(uses.seconds, 6) if uses else None,
                "site": site,
                **_facts(query),
            }
            yield Found(Illness.UNUSED_EAGER_LOAD, Severity.WARNING, ahead.subject, evidence)


def _most(counts: Mapping[Any, int]) -> tuple[object, float]:
    """What was seen most often, and its share."""
    if not counts:
        return None, 0.0
    most = max(counts, key=counts.__getitem__)
    return most, counts[most] / sum(counts.values())


def _from_sign(illness: Illness, subject: object, sign: Sign, critical: float) -> Found:
    facts = {"times": sign.times, "seconds": round(sign.seconds, 6), "worst_seconds": round(sign.worst, 6)}
    evidence = {**facts, **sign.evidence}
    severity = Severity.CRITICAL if sign.seconds > critical else Severity.WARNING
    if isinstance(subject, Query):
        evidence |= _facts(subject)
        subject = subject.fingerprint
    return Found(illness, severity, str(subject or sign.evidence.get("site") or ""), evidence)


def _facts(query: Query | Outline) -> dict[str, object]:
    return {"text": query.text[:_MOST_TEXT], "table": query.collection, "fingerprint": query.fingerprint}
