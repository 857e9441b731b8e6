"""An alert: when it fires, how badly, and what to do then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from stethoscope.names import REQUEST_DURATION
from stethoscope.signals.config import Config
from stethoscope.signals.promql import Frame, per_second
from stethoscope.signals.signal import Expression, Signal

TRAFFIC: Final = 0.1
"""Requests per second below which a share of them says little."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One rule of an alert: ``expression`` has to hold for the time ``hold``."""

    severity: str
    expression: str
    hold: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alert:
    """``summary`` is one line with the value, in Prometheus' template language. The other texts are for the runbook.

    ``board`` is the dashboard that shows it. ``labels`` tell apart what it is about, such as hosts: the dashboard is
    given those that it has as variables, and what is critical of one mutes no warning of another.
    """

    name: str
    conditions: Callable[[Config], Iterable[Condition]]
    summary: str
    meaning: str
    impact: str
    diagnosis: tuple[str, ...]
    mitigation: tuple[str, ...]
    board: str = "overview"
    labels: tuple[str, ...] = ()


def beyond(
    signal: Signal,
    holds: Mapping[str, str],
    *,
    window: str = "5m",
    keep: tuple[str, ...] = (),
    guard: Expression | None = None,
    as_severity: Mapping[str, str] | None = None,
    lasting: bool = True,
) -> Callable[[Config], Iterable[Condition]]:
    """Fires when a signal is beyond its threshold: a rule for each level that the threshold has.

    ``holds`` are times by level, "warn" and "critical". ``guard`` has to hold too. Without ``lasting`` it does not look
    at requests that take long by design.
    """
    names = {"warn": "warning", "critical": "critical", **(as_severity or {})}

    def conditions(config: Config) -> Iterable[Condition]:
        assert signal.threshold is not None
        threshold = getattr(config.thresholds, signal.threshold)
        frame = config.in_rules(window).keep(*keep).where(*(() if lasting else config.without_lasting))
        compare = "<" if threshold.below else ">"
        for level, hold in holds.items():
            if (limit := getattr(threshold, level)) is not None:
                expression = f"({signal.expression(frame)}) {compare} {limit:.12g}"
                if guard is not None:
                    expression += f"\nand {guard(frame)}"
                yield Condition(names[level], expression, hold)

    return conditions


def busy(frame: Frame) -> str:
    """Guard: there is enough traffic for a share or a quantile to mean something."""
    return f"({per_second(REQUEST_DURATION, frame)}) > {TRAFFIC:g}"


def always(severity: str, expression: Callable[[Config], str], hold: str) -> Callable[[Config], Iterable[Condition]]:
    """One rule that is made from the configuration alone."""
    return lambda config: [Condition(severity, expression(config), hold)]
