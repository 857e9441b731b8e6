"""PromQL from the names table: an expression can only name metrics that are emitted, and labels that they have.

A histogram is asked as a classic and as a native one, because a Prometheus server that scrapes native
histograms stores no ``_bucket``, ``_count`` and ``_sum`` beside them. Series that have one form lack the
other, so that ``or`` between both is right for fleets in which some hosts have changed and others have not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from stethoscope.names import WORKERS, Kind, Metric
from stethoscope.names.attributes import SERVICE_LABEL
from stethoscope.thresholds import DEFAULTS, Thresholds


class UnknownLabel(ValueError):
    """A matcher names a label that the metric does not have."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where an expression stands: which targets it looks at, over what time, and which labels it keeps.

    ``targets`` are matchers on labels that scraping adds, ``target_labels`` the names of those labels.
    ``window`` is a PromQL duration, or a variable of Grafana. ``by`` are the labels that are kept.
    ``ago`` is how long before now the window ends. ``thresholds`` are for signals that count what is beyond one.
    """

    targets: tuple[str, ...]
    target_labels: tuple[str, ...]
    window: str
    by: tuple[str, ...]
    matchers: tuple[str, ...] = ()
    ago: str = ""
    thresholds: Thresholds = DEFAULTS

    @property
    def scrape_labels(self) -> tuple[str, ...]:
        """What ``up`` and the like have of the labels of a target. On a page that several services share, whose a series is stands on the page."""
        return tuple(dict.fromkeys("job" if label == SERVICE_LABEL else label for label in self.target_labels))

    @property
    def range(self) -> str:
        return f"[{self.window}] offset {self.ago}" if self.ago else f"[{self.window}]"

    def keep(self, *labels: str) -> Frame:
        """With these labels kept as well."""
        return replace(self, by=(*self.by, *(label for label in labels if label not in self.by)))

    def only(self, *labels: str) -> Frame:
        """With nothing kept but these labels."""
        return replace(self, by=labels)

    def where(self, *matchers: str) -> Frame:
        return replace(self, matchers=(*self.matchers, *matchers))

    def over(self, window: str) -> Frame:
        return replace(self, window=window)


_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def label_of(matcher: str) -> str:
    """The label that a matcher such as ``job=~"a|b"`` looks at."""
    found = _LABEL.match(matcher)
    if found is None:
        raise UnknownLabel(f'{matcher!r} is not a matcher: expected one such as http_route="/users"')
    return found[0]


def select(metric: Metric, frame: Frame, suffix: str = "", *more: str) -> str:
    """The metric's samples in this frame. Raises `UnknownLabel`."""
    known = {*metric.labels, *frame.target_labels, "le", "pid", SERVICE_LABEL}
    for label in (*map(label_of, frame.matchers), *frame.by):
        if label not in known:
            raise UnknownLabel(f"{metric.name} has no label {label!r}: expected one of {', '.join(sorted(known))}")
    matchers = ", ".join((*frame.targets, *frame.matchers, *more))
    return f"{metric.name}{suffix}{{{matchers}}}" if matchers else f"{metric.name}{suffix}"


def summed(expression: str, frame: Frame, *labels: str) -> str:
    by = ", ".join((*frame.by, *labels))
    return f"sum by ({by}) ({expression})" if by else f"sum({expression})"


def per_second(metric: Metric, frame: Frame) -> str:
    """How often: the rate of a counter, or of a histogram's observations."""
    if metric.kind is Kind.COUNTER:
        return summed(f"rate({select(metric, frame, '_total')}{frame.range})", frame)
    return summed(_either(metric, frame, "count", "rate"), frame)


def how_many(metric: Metric, frame: Frame) -> str:
    """How many in the window: the increase of a counter, or of a histogram's observations."""
    if metric.kind is Kind.COUNTER:
        return summed(f"increase({select(metric, frame, '_total')}{frame.range})", frame)
    return summed(_either(metric, frame, "count", "increase"), frame)


def counted(metric: Metric, frame: Frame) -> str:
    """How many in the window, with those that new series began with: for what may happen a few times, all of them at once."""
    if metric.kind is Kind.COUNTER:
        return summed(grown(select(metric, frame, "_total"), frame), frame)
    classic, native = (grown(select(metric, frame, suffix), frame) for suffix in ("_count", ""))
    return summed(f"{classic} or histogram_count({native})", frame)


def grown(series: str, frame: Frame) -> str:
    """The increase of each series of a counter, which is all of it where it is new.

    `increase` takes a series' first sample for what was there before. It was not, if the service's other series were
    scraped earlier in the window and this one was not, nor in the window before. What a service has counted when it is
    scraped for the first time, or again after a gap, is not new: all its series begin together.
    """
    window, on = frame.window, ", ".join(dict.fromkeys((*frame.target_labels, SERVICE_LABEL)))
    service = select(WORKERS, replace(frame, by=(), matchers=()))
    late = (
        f"count_over_time({series}[{window}]) < on ({on}) group_left () "
        f"min by ({on}) (count_over_time({service}[{window}]))"
    )
    new = f"{series} unless last_over_time({series}[{window}] offset {window}) and {late}"
    return f"({new}) or increase({series}[{window}])"


def amount(metric: Metric, frame: Frame) -> str:
    """The rate of a histogram's sum: seconds spent, or bytes sent, per second."""
    return summed(_either(metric, frame, "sum", "rate"), frame)


def mean(metric: Metric, frame: Frame) -> str:
    return f"{amount(metric, frame)} / ({per_second(metric, frame)} > 0)"


def quantile(q: float, metric: Metric, frame: Frame) -> str:
    """Of all observations of the kept labels together; nothing where there were none."""
    classic = summed(f"rate({select(metric, frame, '_bucket')}{frame.range})", frame, "le")
    native = summed(f"rate({select(metric, frame)}{frame.range})", frame)
    return f"(histogram_quantile({q:g}, {classic}) or histogram_quantile({q:g}, {native})) >= 0"


def buckets(metric: Metric, frame: Frame) -> str:
    """What a heatmap is drawn from."""
    classic = summed(f"increase({select(metric, frame, '_bucket')}{frame.range})", frame, "le")
    return f"{classic} or {summed(f'increase({select(metric, frame)}{frame.range})', frame)}"


def within(bound: float, metric: Metric, frame: Frame) -> str:
    """The rate of observations at or below one of the metric's bounds.

    Raises ValueError for what is no bound of the metric, whose share nobody could know.
    """
    if bound not in metric.bounds:
        bounds = ", ".join(f"{one:g}" for one in metric.bounds)
        raise ValueError(f"{bound:g} is not a bucket bound of {metric.name}: expected one of {bounds}")
    counts = f"rate({select(metric, frame)}{frame.range})"
    classic = f"rate({select(metric, frame, '_bucket', _at(bound))}{frame.range})"
    # Without observations the fraction is not a number, which would spoil the sum.
    native = f"histogram_fraction(0, {bound:g}, {counts}) * (histogram_count({counts}) > 0)"
    return summed(f"{classic} or {native}", frame)


def share(part: str, whole: str) -> str:
    """``part`` of ``whole``: zero where there is no part, nothing where there is no whole."""
    return f"({part} or {whole} * 0) / ({whole} > 0)"


def level(metric: Metric, frame: Frame) -> str:
    """A gauge, added up."""
    return summed(select(metric, frame), frame)


def highest(metric: Metric, frame: Frame) -> str:
    """The greatest of a gauge's series."""
    return f"max{_by(frame)} ({select(metric, frame)})"


def least(metric: Metric, frame: Frame) -> str:
    """The smallest of a gauge's series."""
    return f"min{_by(frame)} ({select(metric, frame)})"


def _by(frame: Frame) -> str:
    return f" by ({', '.join(frame.by)})" if frame.by else ""


def _either(metric: Metric, frame: Frame, what: str, function: str) -> str:
    classic = f"{function}({select(metric, frame, f'_{what}')}{frame.range})"
    return f"{classic} or histogram_{what}({function}({select(metric, frame)}{frame.range}))"


def _at(bound: float) -> str:
    # Whole numbers are written "1.0" by OpenMetrics and Python, "1" by Go; Prometheus 3 makes "1.0" of both.
    return f'le=~"{bound:g}|{bound:g}[.]0"' if bound == int(bound) else f'le="{bound:g}"'
