"""Deciding what to push, and when to try again.

A push is the present state, or what was counted since the one that last arrived. Nothing waits in a queue: what
could not be sent is part of what is sent next, so that a receiver may be away for as long as it likes.

A push is several requests. When one fails in a way that may pass, the rest is left for later. When one is refused for
what is in it, the others are sent all the same, and from the next push on its metrics go one by one, so that a metric that
the receiver does not take keeps no other from arriving.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Final

from opentelemetry.sdk.metrics.export import Metric, MetricsData, ResourceMetrics, ScopeMetrics

from stethoscope.exporters.exporter import Source
from stethoscope.exporters.otlp.arrived import Arrived
from stethoscope.exporters.otlp.configuration import GRPC, Configuration
from stethoscope.exporters.otlp.others import sent_by_others
from stethoscope.exporters.otlp.resource import resource_of, scope
from stethoscope.exporters.otlp.telling import Result, Telling
from stethoscope.exporters.otlp.translation import translate
from stethoscope.exporters.otlp.transport import UNASKED, Outcome, grpc, http
from stethoscope.exporters.periodic import backed_off
from stethoscope.names import EXPORTED_POINTS
from stethoscope.store.exemplars import with_exemplars
from stethoscope.store.snapshot import Family

_POINTS_PER_REQUEST: Final = 1000
"""Some 0.5 MB with long labels; receivers of gRPC take 4 MB."""

_OF_THE_CONTENT: Final = ("400", "413", "422", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", UNASKED)
"""Refusals that may be due to one metric of a request, or to how many there are."""


class Pusher:
    """Pushes while this process leads, and knows what has arrived."""

    def __init__(self, source: Source, configuration: Configuration) -> None:
        self._source = source
        self._configuration = configuration
        self._transport = grpc() if configuration.protocol == GRPC else http()
        self._resource = resource_of(source.service, source.folder)
        self._scope = scope()
        self._arrived = Arrived(source.folder) if configuration.delta else None
        self._telling = Telling()
        self._failures = 0
        self._alone: set[str] = set()
        """Metrics that have been in a request that was refused for its content."""

    def give_up(self) -> None:
        """Break off what is under way, and close connections. Any thread, any number of times."""
        self._transport.close()

    def push(self) -> float:
        """Send what is to be sent now. Returns how many seconds to wait at least before the next time."""
        snapshot = with_exemplars(self._source)
        others = sent_by_others()
        ours = [family for family in snapshot.families.values() if family.metric.otel not in others]
        result = Result()
        for families in _requests(ours, frozenset(self._alone)):
            outcome = self._send(families, snapshot.taken_at)
            if not self._goes_on({family.metric.name for family in families}, outcome, result):
                break
            if self._arrived is not None and not outcome.error:
                self._arrived.add({family.metric.name: family for family in families}, snapshot.taken_at)
        self._telling.push(result)
        if self._arrived is not None:
            self._arrived.keep()
        return self._wait(result)

    def _goes_on(self, names: set[str], outcome: Outcome, result: Result) -> bool:
        """Whether the rest of the push may arrive, after what became of the request with these metrics."""
        if not outcome.error:
            result.arrived |= names
            return True
        if not outcome.final:
            result.failure = outcome
            return False
        result.refused |= names
        result.reason = outcome.reason or outcome.error
        if outcome.error in _OF_THE_CONTENT:
            self._alone |= names
        return True

    def _wait(self, result: Result) -> float:
        """Seconds; longer each time while nothing arrives."""
        if result.failure or (result.refused and not result.arrived):
            self._failures += 1
            asked = result.failure.retry_after if result.failure else 0.0
            return max(asked, backed_off(self._configuration.interval, self._failures))
        if result.arrived:
            self._failures = 0
        return 0.0

    def _send(self, families: Sequence[Family], taken_at: float) -> Outcome:
        translated = [self._translated(family, taken_at) for family in families]
        metrics = [metric for metric in translated if metric.data.data_points]
        if not metrics:
            return Outcome()
        points = sum(len(metric.data.data_points) for metric in metrics)
        scope_metrics = ScopeMetrics(self._scope, metrics, "")
        outcome = self._transport.send(MetricsData([ResourceMetrics(self._resource, [scope_metrics], "")]))
        self._count(points, outcome)
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
            self._telling.points(outcome)


def _requests(families: Sequence[Family], alone: Set[str]) -> Iterator[list[Family]]:
    """Families together as long as they stay small, but for those that go ``alone``, at the end. None is divided."""
    together: list[Family] = []
    points = 0
    for family in families:
        if family.metric.name in alone:
            continue
        if together and points + len(family.series) > _POINTS_PER_REQUEST:
            yield together
            together, points = [], 0
        together.append(family)
        points += len(family.series)
    if together:
        yield together
    yield from ([family] for family in families if family.metric.name in alone)
