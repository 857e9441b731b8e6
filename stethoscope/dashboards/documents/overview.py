"""Whether the service is all right, what is slow, and why: the first thing to look at."""

from __future__ import annotations

from typing import Annotated, Final, TypedDict

from stethoscope import names
from stethoscope.dashboards.documents.alerts import Alert, alerts
from stethoscope.dashboards.documents.database import Pool, all_operations, pools
from stethoscope.dashboards.documents.diagnosis import Finding
from stethoscope.dashboards.documents.performance import (
    Endpoint,
    LastErrors,
    Latency,
    Requests,
    endpoints,
    slowest,
    totals,
)
from stethoscope.dashboards.documents.reading import total
from stethoscope.dashboards.documents.system import Machine, Worker, lag, machine, workers
from stethoscope.dashboards.documents.window import Window, WindowName, described
from stethoscope.store.snapshot import Snapshot
from stethoscope.thresholds import Level, Thresholds

_MOST: Final = 5


class Overview(TypedDict):
    """The service at a glance."""

    service: Annotated[str, "The service's name."]
    window: Window
    level: Annotated[Level, "The worst level of all alerts: ok, warn, or critical."]
    requests: Annotated[Requests, "All requests."]
    active_requests: Annotated[float, "Requests whose response is not complete yet, now."]
    active_websockets: Annotated[float, "WebSocket connections that are open, now."]
    busiest: Annotated[list[Endpoint], "The endpoints that took most time together."]
    slowest: Annotated[list[Endpoint], "The endpoints with the highest 95th percentile."]
    failing: Annotated[list[Endpoint], "The endpoints with most failures."]
    queries: Annotated[Latency, "All database operations."]
    pools: Annotated[list[Pool], "Connection pools."]
    machine: Machine
    workers: Annotated[list[Worker], "The living workers."]
    event_loop_lag: Annotated[Latency, "How late event loops ran a timer."]
    alerts: Annotated[list[Alert], "Whatever is beyond its threshold, worst first."]
    findings: Annotated[list[Finding], "What was found wrong, with its cure, worst first."]


def overview(
    name: WindowName, window: Snapshot, thresholds: Thresholds, findings: list[Finding], last_errors: LastErrors
) -> Overview:
    found, raised = endpoints(window, last_errors), alerts(window, thresholds)
    failing = sorted((one for one in found if one["error_count"]), key=lambda one: -one["error_count"])
    return Overview(
        service=window.service,
        window=described(name, window),
        level=raised[0]["level"] if raised else Level.OK,
        requests=totals(window),
        active_requests=total(window, names.ACTIVE_REQUESTS),
        active_websockets=total(window, names.ACTIVE_WEBSOCKETS),
        busiest=found[:_MOST],
        slowest=slowest(found)[:_MOST],
        failing=failing[:_MOST],
        queries=all_operations(window),
        pools=pools(window),
        machine=machine(window),
        workers=workers(window),
        event_loop_lag=lag(window),
        alerts=raised,
        findings=findings,
    )
