"""What a finding is: one illness at one place, with the figures that show it and the cure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stethoscope.names.findings import Illness, Severity

SEVERITIES = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
"""The worst first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An illness that was found at a place, by all workers together.

    ``route`` is the template of the requests in which it showed, empty outside of requests and for what concerns
    all. ``subject`` is what it was found at: a relationship, a statement's fingerprint, a line, a pool. ``summary`` and
    ``cure`` are sentences for people. ``evidence`` is that of the last occurrence that was noted, at most one a
    second: numbers in base units, texts without literals; it may be empty where a note was lost.
    ``first_seen`` and ``last_seen`` are Unix times in seconds. ``occurrences`` counts requests, exactly;
    of a line that blocks the loop, the times; of a pool, the waits in vain and the long ones.
    """

    kind: Illness
    severity: Severity
    route: str
    subject: str
    summary: str
    cure: str
    occurrences: int
    first_seen: float
    last_seen: float
    evidence: Mapping[str, object] = field(default_factory=dict)

    @property
    def rank(self) -> tuple[int, int, str]:
        """The order of a report: the worst and most frequent first."""
        return SEVERITIES.index(self.severity), -self.occurrences, f"{self.kind} {self.route} {self.subject}"
