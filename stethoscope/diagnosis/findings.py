"""All findings of a service: those that workers have counted, and those that the numbers themselves show."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from stethoscope import names
from stethoscope.diagnosis.finding import SEVERITIES, Finding
from stethoscope.diagnosis.pools import exhausted_pools
from stethoscope.diagnosis.words import cure, summary
from stethoscope.names.findings import Illness, Severity
from stethoscope.store.snapshot import Snapshot
from stethoscope.thresholds import Thresholds

_SEVERITIES = frozenset(map(str, Severity))


class Note(Protocol):
    """As `stethoscope.store.notes.Note`."""

    @property
    def written_at(self) -> float: ...
    @property
    def content(self) -> Mapping[str, object]: ...


class _Place(NamedTuple):
    kind: Illness
    route: str
    subject: str


def findings(snapshot: Snapshot, notes: Iterable[Note], thresholds: Thresholds | None = None) -> list[Finding]:
    """What is wrong, the worst first. ``notes`` are those of the kind `FINDINGS_FOUND`.

    Pure: the same for the same arguments, whoever asks. Of a kind that this version does not know, nothing is said.
    """
    evidence = _latest(notes)
    found = [
        *_counted(snapshot, evidence),
        *exhausted_pools(snapshot, thresholds or Thresholds()),
    ]
    return sorted(found, key=lambda finding: finding.rank)


def _latest(notes: Iterable[Note]) -> dict[_Place, Note]:
    latest: dict[_Place, Note] = {}
    for note in notes:
        place = _place(*(str(note.content.get(key)) for key in ("kind", "route", "subject")))
        if place and (place not in latest or latest[place].written_at < note.written_at):
            latest[place] = note
    return latest


def _place(kind: str, route: str, subject: str) -> _Place | None:
    """None for a kind that this version does not know."""
    try:
        return _Place(Illness(kind), route, subject)
    except ValueError:
        return None


def _counted(snapshot: Snapshot, evidence: Mapping[_Place, Note]) -> Iterator[Finding]:
    """One for each place, however severe it was found to be at each time."""
    together: dict[_Place, list[tuple[Severity, float, float]]] = {}
    for series in snapshot.family(names.FINDINGS).series:
        if series.overflow or not isinstance(series.value, float) or not series.value:
            continue
        kind, severity, route, subject = series.labels
        place = _place(kind, route, subject)
        if place and severity in _SEVERITIES:
            together.setdefault(place, []).append((Severity(severity), series.value, series.created))
    for place in _told_already(together):
        del together[place]
    for place, seen in together.items():
        note = evidence.get(place)
        facts = note.content.get("evidence") if note else None
        yield _finding(place, seen, facts if isinstance(facts, dict) else {}, note)


def _told_already(places: Collection[_Place]) -> list[_Place]:
    """Lines that block because of a synchronous query, for which there is a finding of its own, with a better cure."""
    queries = {place.subject for place in places if place.kind == Illness.BLOCKING_QUERY and place.subject}
    blocked = [place for place in places if place.kind == Illness.BLOCKED_LOOP]
    return [place for place in blocked if place.subject in queries or _ending(place.subject) in queries]


def _ending(line: str) -> str:
    """What the site of a query has of a line whose file is outside of where the app runs: the last three parts of its path."""
    return os.sep.join(line.split(os.sep)[-3:]) if os.path.isabs(line) else ""


def _finding(
    place: _Place, seen: list[tuple[Severity, float, float]], facts: Mapping[str, object], note: Note | None
) -> Finding:
    first = min(created for _, _, created in seen)
    return Finding(
        kind=place.kind,
        severity=min((severity for severity, _, _ in seen), key=SEVERITIES.index),
        route=place.route,
        subject=place.subject,
        summary=summary(place.kind, place.subject, facts),
        cure=cure(place.kind, place.subject, facts),
        occurrences=round(sum(count for _, count, _ in seen)),
        first_seen=first,
        last_seen=note.written_at if note else first,
        evidence=facts,
    )
