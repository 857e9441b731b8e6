"""What is marked on the graphs of every dashboard: alerts that fire, workers that start, versions that are new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from stethoscope.names import PROCESS_UPTIME, SERVICE_INFO
from stethoscope.signals.config import Config
from stethoscope.signals.promql import select


@dataclass(frozen=True, slots=True)
class Event:
    """``expression`` has a value while it is marked. ``title`` and ``words`` are templates of labels."""

    name: str
    colour: str
    expression: Callable[[Config], str]
    title: str
    words: Callable[[Config], str]


def marked_for(config: Config) -> int:
    """Seconds for which what has happened is marked: long enough to be scraped, and to be met by a step of the graph."""
    return max(60, 2 * config.scrape_seconds)


def _firing(config: Config) -> str:
    services = ", ".join(f'{label}=~"${label}"' for label in config.service_labels)
    return f'ALERTS{{alertstate="firing", severity=~"warning|critical", {services}}}'


def _started(config: Config) -> str:
    # How long a worker runs is known from the first scrape of a new target on; a counter's first value is no increase.
    by = ", ".join(config.target_labels)
    return f"count by ({by}) ({select(PROCESS_UPTIME, config.in_panels())} < {marked_for(config)})"


def _deployed(config: Config) -> str:
    versions = select(SERVICE_INFO, config.in_panels())
    by = ", ".join((*config.service_labels, SERVICE_INFO.labels[0]))
    return f"group by ({by}) ({versions}) unless group by ({by}) ({versions} offset {marked_for(config)}s)"


EVENTS: Final[Sequence[Event]] = (
    Event(
        "Alerts",
        "red",
        _firing,
        "{{alertname}}",
        lambda config: f"{{{{severity}}}} {{{{http_route}}}} {{{{{config.instance_label}}}}}",
    ),
    Event("Restarts", "blue", _started, "Workers started", lambda config: f"{{{{{config.instance_label}}}}}"),
    Event("Deploys", "purple", _deployed, "Version {{service_version}}", lambda config: f"{{{{{config.job_label}}}}}"),
)
