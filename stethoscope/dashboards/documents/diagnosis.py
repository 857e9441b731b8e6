"""What was found wrong, with the evidence and the cure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, TypedDict

from stethoscope.diagnosis.finding import Finding as Found
from stethoscope.diagnosis.findings import findings as found_in
from stethoscope.names.findings import Severity
from stethoscope.store.notes import Note
from stethoscope.store.snapshot import Snapshot
from stethoscope.thresholds import Thresholds


class Finding(TypedDict):
    """One illness of one part of the service."""

    kind: Annotated[str, "Which illness it is."]
    severity: Annotated[Severity, "How much it hurts: critical, warning or info."]
    summary: Annotated[str, "What was found, in a sentence."]
    cure: Annotated[str, "What to change, in a sentence."]
    route: Annotated[str, "The route in whose requests it showed; empty outside of requests."]
    subject: Annotated[str, "What it was found at: a relationship, a statement, a line, a pool."]
    occurrences: Annotated[
        int,
        "Requests in which it showed, or times that a line blocked the loop, or waits for a pool; since the beginning or the last reset.",
    ]
    first_at_unix_seconds: Annotated[float, "When it was seen first, as Unix time."]
    last_at_unix_seconds: Annotated[float, "When it was noted last, as Unix time."]
    evidence: Annotated[dict[str, Any], "Figures of the last occurrence that was noted, in base units."]


class Diagnosis(TypedDict):
    """All findings."""

    items: Annotated[list[Finding], "The worst and most frequent first."]


def findings(window: Snapshot, notes: Iterable[Note], thresholds: Thresholds) -> list[Finding]:
    return [_finding(one) for one in found_in(window, notes, thresholds)]


def _finding(found: Found) -> Finding:
    return Finding(
        kind=found.kind,
        severity=found.severity,
        summary=found.summary,
        cure=found.cure,
        route=found.route,
        subject=found.subject,
        occurrences=found.occurrences,
        first_at_unix_seconds=found.first_seen,
        last_at_unix_seconds=found.last_seen,
        evidence=dict(found.evidence),
    )
