"""A signal: a question, the expression that answers it, and how its answer is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stethoscope.signals.promql import Frame

Expression = Callable[[Frame], str]

HOST: Final = "<host>"
"""Stands for the label that tells the hosts of a service apart, which users name: ``Config.instance_label``."""


@dataclass(frozen=True, slots=True)
class Signal:
    """``title`` names it in a legend; ``question`` is what somebody who looks at it wants to know.

    ``unit`` is one of Grafana's. ``threshold`` is the field of `Thresholds` that colours it, if any.
    """

    title: str
    question: str
    unit: str
    expression: Expression
    threshold: str | None = None
