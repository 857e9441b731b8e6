"""Service level objectives: which requests count as good, and how many of them have to be.

A share is made of requests, not of minutes: a quiet night weighs what its requests weigh. Budgets and
burn rates are those of the Site Reliability Workbook (Beyer et al., 2018), chapter 5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from stethoscope.names import REQUEST_DURATION
from stethoscope.signals.http import FAILED
from stethoscope.signals.promql import Frame, UnknownLabel, label_of, per_second, within


class SloError(ValueError):
    """An objective that cannot be: what came, and what is accepted."""


@dataclass(frozen=True, slots=True)
class Slo:
    """``objective`` is the share of requests that have to be good (0–1, both excluded).

    Good is a request that did not fail on our side, or, with ``seconds``, one that took no longer than that,
    whatever it ended with. ``matchers`` limit which requests count.
    Raises `SloError`.
    """

    name: str
    objective: float
    seconds: float | None = None
    matchers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", self.name):
            raise SloError(f"slo {self.name!r} is not valid: expected a name of small letters, digits, - and _")
        if not 0.5 <= self.objective < 1:
            raise SloError(
                f"slo {self.name}: an objective of {self.objective * 100:g} % is not valid: expected at least 50 % and less than "
                "100 %, which would leave no budget for any failure"
            )
        if self.seconds is not None and self.seconds not in REQUEST_DURATION.bounds:
            bounds = ", ".join(f"{bound:g}" for bound in REQUEST_DURATION.bounds)
            raise SloError(f"slo {self.name}: {self.seconds:g} s is not a bucket bound: expected one of {bounds}")
        for matcher in self.matchers:
            _check(self.name, matcher)

    @property
    def budget(self) -> float:
        """The share of requests that may be bad."""
        return round(1 - self.objective, 12)

    def total(self, frame: Frame) -> str:
        return per_second(REQUEST_DURATION, frame.where(*self.matchers))

    def bad(self, frame: Frame) -> str:
        """The rate of bad requests, zero where there are only good ones."""
        counted = frame.where(*self.matchers)
        if self.seconds is not None:
            return f"{self.total(frame)} - {within(self.seconds, REQUEST_DURATION, counted)}"
        return f"{per_second(REQUEST_DURATION, counted.where(*FAILED))} or {self.total(frame)} * 0"

    def __str__(self) -> str:
        what = "do not fail" if self.seconds is None else f"take at most {self.seconds:g} s"
        return f"{self.objective * 100:.6g} % of requests {what}"


AVAILABILITY: Final = Slo("availability", 0.999)
LATENCY: Final = Slo("latency", 0.99, 0.5)

_TEXT: Final = re.compile(r"(?P<name>[^=]*)=(?P<percent>[^:{]*)(?::(?P<seconds>[^{]*))?(?:\{(?P<matchers>.*)\})?")
_MATCHER: Final = re.compile(r'\s*([a-zA-Z_]\w*(?:=~|!~|!=|=)"(?:[^"\\]|\\.)*")\s*(?:,|$)')


def parse(text: str) -> Slo:
    """An objective as users write it: ``availability=99.9``, ``fast=95:0.25``, ``fast=95:0.25{http_route!="/report"}``.

    Raises `SloError`.
    """
    found = _TEXT.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        percent, seconds = float(found["percent"]), float(found["seconds"]) if found["seconds"] else None
    except ValueError:
        raise SloError(
            f"slo {text!r} is not valid: expected NAME=PERCENT or NAME=PERCENT:SECONDS, "
            "such as availability=99.9 or latency=95:0.25, and matchers in braces if wanted"
        ) from None
    return Slo(found["name"].strip(), round(percent / 100, 12), seconds, _matchers(text, found["matchers"] or ""))


def _matchers(slo: str, text: str) -> tuple[str, ...]:
    found, position = [], 0
    while position < len(text):
        match = _MATCHER.match(text, position)
        if match is None:
            raise SloError(f'slo {slo!r} is not valid: expected matchers such as http_route!="/report", got {text!r}')
        found.append(match[1])
        position = match.end()
    return tuple(found)


def _check(slo: str, matcher: str) -> None:
    try:
        label = label_of(matcher)
    except UnknownLabel as error:
        raise SloError(f"slo {slo}: {error}") from None
    if label not in REQUEST_DURATION.labels:
        known = ", ".join(REQUEST_DURATION.labels)
        raise SloError(f"slo {slo}: requests have no label {label!r}: expected one of {known}")


@dataclass(frozen=True, slots=True)
class Burn:
    """One row of the multi-window alert: both windows have to burn the budget this many times too fast."""

    long: str
    short: str
    hours: float
    budget_share: float
    hold: str
    severity: str

    @property
    def step_minutes(self) -> int:
        """At what steps rates are added up: what is for now cannot wait five minutes, days would be thousands of minutes."""
        return 1 if self.hours < 24 else 5

    def factor(self, days: int) -> float:
        """How many times faster than the objective allows."""
        return round(self.budget_share * days * 24 / self.hours, 4)


BURNS: Final = (
    Burn("1h", "5m", 1, 0.02, "2m", "critical"),
    Burn("6h", "30m", 6, 0.05, "15m", "critical"),
    Burn("1d", "2h", 24, 0.10, "1h", "warning"),
    Burn("3d", "6h", 72, 0.10, "3h", "warning"),
)
WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
