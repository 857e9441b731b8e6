"""What is said of a test that asked too much: the figures, and where each query comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from stethoscope.diagnosis.words import cure, summary
from stethoscope.instruments.database.detection import Found, Loader
from stethoscope.instruments.database.tally import Asked, Tally
from stethoscope.testing.mark import Mark

_MOST_QUERIES: Final = 20
_MOST_SITES: Final = 5
_MOST_CHARACTERS: Final = 300


def complaint(mark: Mark, tally: Tally) -> str:
    """Empty where the test did what its mark allows."""
    parts = []
    if mark.max_queries is not None and tally.queries > mark.max_queries:
        parts.append("\n".join(_too_many(mark.max_queries, tally)))
    if mark.no_n_plus_one:
        parts += ["\n".join(_n_plus_one(found)) for found in tally.n_plus_one()]
    return "\n\n".join(parts)


def _too_many(most: int, tally: Tally) -> Iterator[str]:
    yield (
        f"{_queries(tally.queries)} sent, in {_milliseconds(tally.seconds)}; "
        f"max_queries={most} allows {most}. The most frequent first:"
    )
    asked = tally.asked()
    for one in asked[:_MOST_QUERIES]:
        yield from _asked(one)
    if len(asked) > _MOST_QUERIES:
        yield f"… and {len(asked) - _MOST_QUERIES} other ones"


def _asked(one: Asked) -> Iterator[str]:
    yield f"{one.times:>5} × {_line(one.text)}"
    loads = ", ".join(f"{loader.way} load of {loader.subject}" for loader in one.loads if isinstance(loader, Loader))
    yield f"        {_milliseconds(one.seconds)}, fingerprint {one.fingerprint}{', ' + loads if loads else ''}"
    for site, count in one.sites.most_common(_MOST_SITES):
        yield f"        {count} × at {site or 'a line that is not known'}"


def _n_plus_one(found: Found) -> Iterator[str]:
    evidence = {**found.evidence, "within": "one test"}
    yield f"N+1: {summary(found.illness, found.subject, evidence)}"
    yield f"  cure:  {cure(found.illness, found.subject, evidence)}"
    yield f"  line:  {found.evidence['site']}"
    yield f"  query: {_line(str(found.evidence['text']))} (fingerprint {found.evidence['fingerprint']})"


def _queries(count: int) -> str:
    return "1 query was" if count == 1 else f"{count} queries were"


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}…"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.3g} ms"
