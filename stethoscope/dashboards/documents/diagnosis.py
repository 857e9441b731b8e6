"""What was found to be ill, with the evidence and the cure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, TypedDict

from stethoscope.store.notes import Note

_RANK: Final[Mapping[str, int]] = {"critical": 0, "warn": 1, "warning": 1}


class Finding(TypedDict):
    """One illness of one part of the service."""

    kind: Annotated[str, "Which illness it is."]
    severity: Annotated[str, "How bad it is."]
    title: Annotated[str, "What was found, in one sentence."]
    evidence: Annotated[str, "What was seen."]
    cure: Annotated[str, "What to change."]
    route: Annotated[str, "The route that it was found at; empty where it is of the whole service."]
    subject: Annotated[str, "What it is about: a statement, a pool, a line of code."]
    last_at_unix_seconds: Annotated[float, "When it was seen the last time, as Unix time."]


class Diagnosis(TypedDict):
    """All findings."""

    items: Annotated[list[Finding], "The worst first."]


def findings(notes: Iterable[Note]) -> list[Finding]:
    """Findings as they were noted, the worst first, then the latest."""
    found = [_finding(note) for note in notes]
    return sorted(found, key=lambda one: (_RANK.get(one["severity"], 2), -one["last_at_unix_seconds"]))


def _finding(note: Note) -> Finding:
    def text(name: str) -> str:
        value = note.content.get(name)
        return value if isinstance(value, str) else ""

    return Finding(
        kind=text("kind") or note.key,
        severity=text("severity"),
        title=text("title"),
        evidence=text("evidence"),
        cure=text("cure"),
        route=text("route"),
        subject=text("subject"),
        last_at_unix_seconds=note.written_at,
    )
