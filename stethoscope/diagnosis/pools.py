"""Pools that were too small for what was asked of them: told from their metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from stethoscope import names
from stethoscope.diagnosis.finding import Finding
from stethoscope.diagnosis.words import cure, summary
from stethoscope.names import Metric
from stethoscope.names.findings import Illness, Severity
from stethoscope.store.distribution import Distribution
from stethoscope.store.snapshot import Series, Snapshot
from stethoscope.store.timeline import known
from stethoscope.thresholds import Thresholds

_ONE_IN: Final = 20


def exhausted_pools(snapshot: Snapshot, thresholds: Thresholds) -> Iterator[Finding]:
    """Pools with waits that ended without a connection, or of which one in twenty was as long as a slow query.

    Not those in which as many connections were opened: it was the database that took so long.
    """
    slow = thresholds.query_p95.warn
    timeouts, waits = _by_pool(snapshot, names.POOL_TIMEOUTS), _by_pool(snapshot, names.POOL_WAIT_TIME)
    created = _by_pool(snapshot, names.POOL_CREATE_TIME)
    for name, wait in waits.items():
        failed = timeouts.get(name)
        missed = failed.value if failed and isinstance(failed.value, float) else 0.0
        if not isinstance(wait.value, Distribution):
            continue
        long = _long(wait.value, created.get(name), slow)
        if missed or long > wait.value.count / _ONE_IN:
            yield _finding(snapshot, name, int(missed), long, wait, wait.value)


def _long(waits: Distribution, created: Series | None, slow: float | None) -> int:
    """Waits above ``slow`` seconds, less one for each connection that was opened."""
    if slow is None:
        return 0
    opened = created.value.count if created and isinstance(created.value, Distribution) else 0
    return max(0, waits.above(slow) - opened)


def _by_pool(snapshot: Snapshot, metric: Metric) -> dict[str, Series]:
    return {series.labels[0]: series for series in snapshot.family(metric).series if not series.overflow}


def _finding(snapshot: Snapshot, name: str, missed: int, long: int, series: Series, waits: Distribution) -> Finding:
    facts: dict[str, object] = {"timeouts": missed, "checkouts": waits.count}
    if (p95 := known(waits.quantile(0.95))) is not None:  # a wait in vain is none of them
        facts["wait_p95_seconds"] = round(p95, 6)
    for label, metric in (("size", names.POOL_SIZE), ("most", names.POOL_MAX)):
        found = _by_pool(snapshot, metric).get(name)
        if found and isinstance(found.value, float) and found.value:  # zero: of pools that are gone
            facts[label] = int(found.value)
    return Finding(
        kind=Illness.POOL_EXHAUSTED,
        severity=Severity.CRITICAL if missed else Severity.WARNING,
        route="",
        subject=name,
        summary=summary(Illness.POOL_EXHAUSTED, name, facts),
        cure=cure(Illness.POOL_EXHAUSTED, name, facts),
        occurrences=missed + long,
        first_seen=series.created,
        last_seen=snapshot.taken_at,
        evidence=facts,
    )
