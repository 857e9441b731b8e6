"""What is said about pushes in the log: one line when something begins to go wrong, and one when it is over."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from stethoscope.exporters.otlp.transport import Outcome

logger = logging.getLogger("stethoscope")

_MOST_NAMES: Final = 5


@dataclass(slots=True)
class Result:
    """What became of one push.

    ``arrived`` and ``refused`` are names of metrics: what was refused will be so again, unless the receiver changes.
    ``reason`` says why, in the receiver's words. ``failure`` is what broke the push off.
    """

    arrived: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    reason: str = ""
    failure: Outcome | None = None


class Telling:
    """Remembers what it has said. For one thread."""

    def __init__(self) -> None:
        self._failures = 0
        self._refused: set[str] = set()
        self._told_of_points = False

    def push(self, result: Result) -> None:
        if result.failure:
            self._failures += 1
            if self._failures == 1:
                logger.warning(
                    "metrics do not arrive over OTLP: %s; what is recorded meanwhile is sent once they do",
                    result.failure.reason or result.failure.error,
                )
        elif self._failures and result.arrived:
            logger.warning("metrics arrive over OTLP again, after %d failures", self._failures)
            self._failures = 0
        self._tell_of_refusals(result)

    def points(self, outcome: Outcome) -> None:
        """The receiver has accepted a request without these points."""
        if not self._told_of_points:
            self._told_of_points = True
            logger.warning("the receiver of OTLP metrics refused %d points: %s", outcome.rejected, outcome.reason)

    def _tell_of_refusals(self, result: Result) -> None:
        before = self._refused
        self._refused = (before | result.refused) - result.arrived
        if self._refused - before and (result.arrived or not before):  # of a receiver that takes nothing, once
            logger.warning(
                "the receiver of OTLP metrics refuses %s: %s; they are tried again with each push, and keep no others back",
                _listed(self._refused),
                result.reason,
            )
        elif before - self._refused:
            logger.warning(
                "metrics that were refused over OTLP arrive: %s; still refused: %s",
                _listed(before - self._refused),
                _listed(self._refused) or "none",
            )


def _listed(names: Iterable[str]) -> str:
    first = sorted(names)
    more = len(first) - _MOST_NAMES
    return ", ".join(first[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
