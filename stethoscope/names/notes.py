"""Kinds of notes: what is kept as text beside the numbers (`stethoscope.store.notes`)."""

from __future__ import annotations

from typing import NamedTuple


class NoteKind(NamedTuple):
    """A kind of notes: its name in file names, and how many of how many bytes a process keeps at most."""

    name: str
    most: int
    most_bytes: int


QUERIES = NoteKind("query", 256, 4096)
"""Slow database operations, by fingerprint."""
FINDINGS_FOUND = NoteKind("finding", 128, 4096)
"""Evidence of what diagnosis found, by what it was found at."""
DATABASES = NoteKind("database", 64, 16384)
"""What a database says about itself, by topic."""
REQUESTS = NoteKind("request", 512, 8192)
"""Requests that can be followed."""
STALLS = NoteKind("stall", 64, 8192)
"""What blocked an event loop."""
EXEMPLARS = NoteKind("exemplar", 2048, 512)
"""Single observations with their trace, by series and bucket."""

NOTE_KINDS = (QUERIES, FINDINGS_FOUND, DATABASES, REQUESTS, STALLS, EXEMPLARS)
