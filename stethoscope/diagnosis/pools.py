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
        if isinstance(wait.value, Distribution) and (missed or _long(wait.value, created.get(name), slow)):
            yield _finding(snapshot, name, missed, wait, wait.value)


def _long(waits: Distribution, created: Series | None, slow: float | None) -> bool:
    if slow is None:
        return False
    opened = created.value.count if created and isinstance(created.value, Distribution) else 0
    return waits.above(slow) - opened > waits.count / _ONE_IN


def _by_pool(snapshot: Snapshot, metric: Metric) -> dict[str, Series]:
    return {series.labels[0]: series for series in snapshot.family(metric).series if not series.overflow}


def _finding(snapshot: Snapshot, name: str, missed: float, series: Series, waits: Distribution) -> Finding:
    facts: dict[str, object] = {
        "timeouts": int(missed),
        "wait_p95_seconds": round(waits.quantile(0.95), 6),
        "checkouts": waits.count,
    }
    for label, metric in (("size", names.POOL_SIZE), ("most", names.POOL_MAX)):
        found = _by_pool(snapshot, metric).get(name)
        if found and isinstance(found.value, float):
            facts[label] = int(found.value)
    return Finding(
        kind=Illness.POOL_EXHAUSTED,
        severity=Severity.CRITICAL if missed else Severity.WARNING,
        route="",
        subject=name,
        summary=summary(Illness.POOL_EXHAUSTED, name, facts),
        cure=cure(Illness.POOL_EXHAUSTED, name, facts),
        occurrences=int(missed) or max(1, waits.count // _ONE_IN),
        first_seen=series.created,
        last_seen=snapshot.taken_at,
        evidence=facts,
    )
