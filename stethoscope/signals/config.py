"""What a user can choose about dashboards and rules, checked in one place."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from stethoscope.names import REQUEST_DURATION
from stethoscope.names.attributes import SERVICE_LABEL
from stethoscope.signals.promql import Frame
from stethoscope.signals.slo import AVAILABILITY, LATENCY, Slo
from stethoscope.thresholds import DEFAULTS, Thresholds


class ConfigError(ValueError):
    """What cannot be: its name, what came, what is accepted. Lists every mistake at once."""


@dataclass(frozen=True, slots=True)
class Config:
    """A user's choices.

    ``service`` is the value of ``job_label`` that the rules are for, None for every job that exposes our
    metrics. ``job_label`` and ``instance_label`` are what scraping, or a common page, calls a service and one of its hosts,
    ``group_labels`` further labels of targets that stay apart, such as a cluster. ``scrape_seconds`` is
    the interval of scraping. ``runbook_url`` is a page with an anchor an alert; None for the dashboard
    that holds the runbook. ``pools`` are connection pools with a limit of their own for their use.
    ``lasting_routes`` are templates of routes whose requests take long by design, such as server-sent events.
    """

    service: str | None = None
    job_label: str = "job"
    instance_label: str = "instance"
    group_labels: tuple[str, ...] = ()
    thresholds: Thresholds = DEFAULTS
    slos: tuple[Slo, ...] = (AVAILABILITY, LATENCY)
    slo_days: int = 30
    scrape_seconds: int = 15
    grafana_url: str = "http://localhost:3000"
    runbook_url: str | None = None
    pools: tuple[tuple[str, float], ...] = ()
    lasting_routes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if mistakes := [*_mistakes(self)]:
            raise ConfigError("; ".join(mistakes))

    @property
    def target_labels(self) -> tuple[str, ...]:
        return (*self.group_labels, self.job_label, self.instance_label)

    @property
    def service_labels(self) -> tuple[str, ...]:
        """What tells one service from another."""
        return (*self.group_labels, self.job_label)

    @property
    def shares_page(self) -> bool:
        """Whether services are told apart by a label that is on a sidecar's common page, and not of its target."""
        return SERVICE_LABEL in self.service_labels

    @property
    def service_matcher(self) -> tuple[str, ...]:
        return (f'{self.job_label}="{self.service}"',) if self.service else ()

    def recorded(self, name: str) -> str:
        """What was recorded of these services, such as ``slo:bad:rate5m``: others may have rules of their own."""
        return f"{name}{{{', '.join(self.service_matcher)}}}" if self.service else name

    @property
    def without_lasting(self) -> tuple[str, ...]:
        """Matchers that leave out requests which take long by design."""
        return tuple(f'http_route!="{route}"' for route in self.lasting_routes)

    def in_rules(self, window: str = "5m") -> Frame:
        """The frame of a rule: services, each as a whole."""
        return Frame(self.service_matcher, self.target_labels, window, self.service_labels, thresholds=self.thresholds)

    def in_panels(self, window: str = "$__rate_interval") -> Frame:
        """The frame of a panel: what the dashboard's variables choose, as one."""
        chosen = tuple(f'{label}=~"${label}"' for label in self.target_labels)
        return Frame(chosen, self.target_labels, window, (), thresholds=self.thresholds)


_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_RESERVED: Final = {*REQUEST_DURATION.labels, "le", "slo", "severity", "alertname"}


def _mistaken_links(config: Config) -> Iterable[str]:
    """Grafana's address gets a path and a query, and the runbook's an anchor, which would end up in what is there already."""
    for name, url, unwanted in (("grafana_url", config.grafana_url, "?#"), ("runbook_url", config.runbook_url, "#")):
        if url is None:
            continue
        if not re.fullmatch(r"https?://[^\s\"'<>{}\\]+", url):
            yield f"{name}={url!r} is not valid: expected an address that begins with http:// or https://"
        elif set(unwanted) & set(url):
            yield f"{name}={url!r} is not valid: expected an address without {' and '.join(unwanted)}"


def _mistakes(config: Config) -> Iterable[str]:
    for name, labels in (
        ("job_label", (config.job_label,)),
        ("instance_label", (config.instance_label,)),
        ("group_labels", config.group_labels),
    ):
        for label in labels:
            if not _LABEL.fullmatch(label) or label in _RESERVED:
                yield f"{name}={label!r} is not valid: expected a label of Prometheus' targets, such as cluster"
    if len(set(config.target_labels)) < len(config.target_labels):
        yield f"labels {', '.join(config.target_labels)} are not valid: expected each label once"
    if config.service is not None and not re.fullmatch(r'[^"\\\n]+', config.service):
        yield f"service={config.service!r} is not valid: expected a value of {config.job_label} without quotes"
    if not 1 <= config.slo_days <= 90:
        yield f"slo_days={config.slo_days} is not valid: expected 1 to 90"
    if not 1 <= config.scrape_seconds <= 120:
        yield f"scrape_seconds={config.scrape_seconds} is not valid: expected 1 to 120"
    yield from _mistaken_links(config)
    names = [slo.name for slo in config.slos]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"slo {name!r} is not valid: expected each name once"
    for route in config.lasting_routes:
        if not re.fullmatch(r'[^"\\\n]+', route):
            yield f"lasting route {route!r} is not valid: expected the template of a route, such as /events"
    for pool, use in config.pools:
        if not re.fullmatch(r'[^"\\\n]+', pool) or not 0 < use <= 1:
            yield f"pool {pool}={use:g} is not valid: expected NAME=SHARE with a share of its connections from 0 to 1"


DEFAULT: Final = Config()
