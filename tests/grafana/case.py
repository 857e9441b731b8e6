"""Cases for the alerts: series over some hours, and at which minutes which severities of an alert fire.

Each case is near a border: just beyond a threshold and just below, just before a time is over and just
after. That is what lets the cases notice a change of any number in a rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

Series = Mapping[str, str]

NONE: Final[frozenset[str]] = frozenset()
WARNING: Final = frozenset(("warning",))
CRITICAL: Final = frozenset(("critical",))
BOTH: Final = WARNING | CRITICAL
INFO: Final = frozenset(("info",))

HOSTS: Final = ("a", "b")


@dataclass(frozen=True, slots=True)
class Case:
    """``fires`` are severities by minute; ``summaries`` are those of the alert at one of them, where given.

    ``step`` is the time in minutes between two samples, and between two evaluations.
    """

    alert: str
    claim: str
    series: Series
    fires: Mapping[int, frozenset[str]]
    summaries: tuple[int, Mapping[str, str]] | None = None
    step: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)


def values(*pieces: tuple[int, float], step: int = 1, start: float = 0) -> str:
    """A counter in promtool's notation: pieces of minutes at a rate per second."""
    text, value = [f"{start!r}"], start
    for minutes, rate in pieces:
        # A sum that is rounded down would be a counter that was reset.
        growth, count = round(rate * 60 * step * 2**20) / 2**20, minutes // step
        if count:
            text.append(f"{value + growth!r}+{growth!r}x{count - 1}")
        value += growth * count
    return " ".join(text)


def levels(*pieces: tuple[int, float], step: int = 1) -> str:
    """A gauge: pieces of minutes at a value."""
    return " ".join(f"{value:.10g}+0x{minutes // step - 1}" for minutes, value in pieces)
