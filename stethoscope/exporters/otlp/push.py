"""Deciding what to push, and when to try again.

A push is the present state, or what was counted since the one that last arrived. Nothing waits in a queue: what
could not be sent is part of what is sent next, so that a receiver may be away for as long as it likes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from opentelemetry.sdk.metrics.export import Metric, MetricsData, ResourceMetrics, ScopeMetrics

from stethoscope.exporters.exporter import Source
from stethoscope.exporters.otlp.arrived import Arrived
from stethoscope.exporters.otlp.configuration import GRPC, Configuration
from stethoscope.exporters.otlp.others import sent_by_others
from stethoscope.exporters.otlp.resource import resource_of, scope
from stethoscope.exporters.otlp.translation import translate
from stethoscope.exporters.otlp.transport import Outcome, grpc, http
from stethoscope.exporters.periodic import backed_off
from stethoscope.names import EXPORTED_POINTS
from stethoscope.store.exemplars import with_exemplars
from stethoscope.store.snapshot import Family

logger = logging.getLogger("stethoscope")

_POINTS_PER_REQUEST: Final = 1000
"""Some 0.5 MB with long labels; receivers of gRPC take 4 MB."""


class Pusher:
    """Pushes while this process leads, and knows what has arrived."""

    def __init__(self, source: Source, configuration: Configuration) -> None:
        self._source = source
        self._configuration = configuration
        self._transport = grpc() if configuration.protocol == GRPC else http()
        self._resource = resource_of(source.service, source.folder)
        self._scope = scope()
        self._arrived = Arrived(source.folder) if configuration.delta else None
        self._failures = 0
        self._told_of_refusals = False

    def give_up(self) -> None:
        """Break off what is under way. Any thread."""
        self._transport.close()

    def push(self) -> float:
        """Send what is to be sent now. Returns how many seconds to wait at least before the next time."""
        snapshot = with_exemplars(self._source)
        wait = 0.0
        others = sent_by_others()
        ours = [family for family in snapshot.families.values() if family.metric.otel not in others]
        for families in _requests(ours):
            outcome = self._send(families, snapshot.taken_at)
            if outcome.error:
                wait = max(outcome.retry_after, backed_off(self._configuration.interval, self._failures))
                break
            if self._arrived is not None:
                self._arrived.add({family.metric.name: family for family in families}, snapshot.taken_at)
        if self._arrived is not None:
            self._arrived.keep()
        return wait

    def _send(self, families: Sequence[Family], taken_at: float) -> Outcome:
        translated = [self._translated(family, taken_at) for family in families]
        metrics = [metric for metric in translated if metric.data.data_points]
        if not metrics:
            return Outcome()
        points = sum(len(metric.data.data_points) for metric in metrics)
        scope_metrics = ScopeMetrics(self._scope, metrics, "")
        outcome = self._transport.send(MetricsData([ResourceMetrics(self._resource, [scope_metrics], "")]))
        self._count(points, outcome)
        self._tell(outcome)
        return outcome

    def _translated(self, family: Family, taken_at: float) -> Metric:
        since = None
        if self._arrived is not None:
            family, since = self._arrived.since(family)
        return translate(family, taken_at, since=since, exponential=self._configuration.exponential)

    def _count(self, points: int, outcome: Outcome) -> None:
        component = self._transport.component
        if outcome.error:
            self._source.count(EXPORTED_POINTS, (component, outcome.error), points)
            return
        self._source.count(EXPORTED_POINTS, (component, ""), points - outcome.rejected)
        if outcome.rejected:
            self._source.count(EXPORTED_POINTS, (component, "rejected"), outcome.rejected)

    def _tell(self, outcome: Outcome) -> None:
        """One line when it begins to fail, and one when it is over."""
        if outcome.error:
            self._failures += 1
            if self._failures == 1:
                logger.warning(
                    "metrics do not arrive over OTLP: %s; what is recorded meanwhile is sent once they do",
                    outcome.reason or outcome.error,
                )
            return
        if self._failures:
            logger.warning("metrics arrive over OTLP again, after %d failures", self._failures)
        self._failures = 0
        if outcome.rejected and not self._told_of_refusals:
            self._told_of_refusals = True
            logger.warning("the receiver of OTLP metrics refused %d points: %s", outcome.rejected, outcome.reason)


def _requests(families: Iterable[Family]) -> Iterator[list[Family]]:
    """Families together as long as they stay small. None is divided."""
    together: list[Family] = []
    points = 0
    for family in families:
        if together and points + len(family.series) > _POINTS_PER_REQUEST:
            yield together
            together, points = [], 0
        together.append(family)
        points += len(family.series)
    if together:
        yield together
