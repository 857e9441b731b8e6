"""What the API says is beyond a threshold."""

from __future__ import annotations

from dataclasses import replace

from stethoscope.dashboards.documents.alerts import Alert, alerts
from stethoscope.names import REQUEST_DURATION, WORKERS
from stethoscope.store.snapshot import Family, Series, Snapshot
from stethoscope.thresholds import Level, Thresholds
from tests.dashboards.boards import busy
from tests.exporters.snapshots import BORN


def living(workers: float, snapshot: Snapshot) -> Snapshot:
    return replace(
        snapshot, families={**snapshot.families, WORKERS.name: Family(WORKERS, (Series((), workers, BORN),))}
    )


def of_workers(snapshot: Snapshot, thresholds: Thresholds | None = None) -> list[Alert]:
    return [one for one in alerts(snapshot, thresholds or Thresholds()) if one["threshold"] == "workers"]


def test_a_service_without_a_worker_is_critical() -> None:
    [alert] = of_workers(living(0, busy()))
    assert (alert["level"], alert["value"], alert["limit"]) == (Level.CRITICAL, 0, 1)
    assert of_workers(living(1, busy())) == of_workers(busy()) == []


def test_a_script_that_has_ended_is_no_trouble() -> None:
    without = {name: family for name, family in busy().families.items() if name != REQUEST_DURATION.name}
    assert of_workers(living(0, replace(busy(), families=without))) == []


def test_too_few_workers_are_what_the_user_says() -> None:
    [alert] = of_workers(living(3, busy()), Thresholds.resolve({"workers": (4, 1)}))
    assert (alert["level"], alert["limit"]) == (Level.WARN, 4)
