"""The demo's shop under traffic with faults, watched by a real Prometheus and a real Alertmanager.

What dashboards and rules make of it, and how long it takes until somebody is told.
"""

from __future__ import annotations

import math
import os
import re
import signal
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from stethoscope.names import METRICS, REQUEST_DURATION
from stethoscope.signals import alerts
from stethoscope.signals.alertmanager import Receivers, configuration
from stethoscope.signals.config import Config
from stethoscope.signals.files import alertmanager as alertmanager_files
from stethoscope.signals.files import rules
from stethoscope.signals.yaml import dump
from stethoscope.thresholds import Thresholds
from tests.grafana.expressions import OURS, Query, events, metrics, queries
from tests.grafana.live import VERSION, Shop, scraping, shop
from tests.grafana.programs import Notice, Prometheus, Receiver, alertmanager, prometheus, receiver, wait_for
from tests.postgresql import Cluster

pytestmark = [pytest.mark.xdist_group("grafana"), pytest.mark.timeout(400)]

WARM_UP_SCRAPES = 8
SINCE = 600.0
"""Seconds: longer than all of these tests take."""
SHOWN_SECONDS = 120
USUAL_FAILURES = 0.05
# A busy machine answers late by itself, and some requests of the shop always fail.
CONFIG = Config(thresholds=Thresholds.resolve({"slow_requests": 2.5, "error_ratio": (0.2, 0.35)}))
TOLD = ("ASGIHighLatency", "ASGIHighErrorRate", "ASGITargetDown")
"""Alerts whose whole way is tried, in a hurry: minutes of their rules become seconds."""


class Watch(NamedTuple):
    shop: Shop
    prometheus: Prometheus
    native: Prometheus
    alertmanager: str
    receiver: Receiver


@pytest.fixture(scope="module")
def watch(postgresql: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    folder = tmp_path_factory.mktemp("watch")
    for name, text in {**rules(CONFIG), **alertmanager_files(CONFIG)}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    hurried = [_hurried(rule) for rule in alerts.rules(CONFIG)]
    (folder / "rules/alerts.yaml").write_text(dump({"groups": [{"name": "alerts", "rules": hurried}]}))
    with receiver() as told, shop(folder, postgresql) as opened:
        to = Receivers(f"{told.url}/page", f"{told.url}/chat", f"{told.url}/deadman")
        config = folder / "alertmanager/alertmanager.yaml"
        config.write_text(re.sub(r"(group_(?:wait|interval)): .*", r'\1: "1s"', dump(configuration(CONFIG, to))))
        with alertmanager(folder, config) as manager:
            opened.break_down(share=USUAL_FAILURES)
            target, managed = (url.removeprefix("http://") for url in (opened.server.url, manager))
            other, given = tmp_path_factory.mktemp("native"), f"{folder}/rules/*.yaml"
            features = ("exemplar-storage", "native-histograms")
            with (
                prometheus(folder, scraping(target, given, managed)) as server,
                prometheus(other, scraping(target, given, native=True), features) as native,
            ):
                seen = f"sum_over_time(up[1h]) >= {WARM_UP_SCRAPES}"
                for one in (server, native):
                    wait_for("some scrapes", lambda one=one: one.query(seen) or None, 240)  # type: ignore[misc]
                yield Watch(opened, server, native, manager, told)


def _hurried(rule: dict[str, Any]) -> dict[str, Any]:
    if rule["alert"] not in TOLD:
        return rule
    times: dict[str, Any] = {key: f"{rule[key][:-1]}s" for key in ("for", "keep_firing_for") if key in rule}
    return {**rule, **times, "expr": re.sub(r"\[\d+m\]", "[10s]", rule["expr"])}


@pytest.mark.parametrize("histograms", ["prometheus", "native"])
def test_every_panel_of_every_dashboard_has_finite_data(histograms: str, watch: Watch) -> None:
    server: Prometheus = getattr(watch, histograms)
    wrong = [f"{query}: {what}" for query in queries() if (what := _missing(server, query))]
    assert not wrong, "\n".join(wrong)


def test_starts_of_workers_and_new_versions_are_marked(watch: Watch) -> None:
    marked = {name: watch.prometheus.query_range(events()[name], SINCE) for name in ("Restarts", "Deploys")}
    assert sum(float(value) for one in marked["Restarts"][:1] for _, value in one["values"][:1]) >= 1
    assert [one["metric"]["service_version"] for one in marked["Deploys"]] == [VERSION]


def test_native_histograms_are_stored_in_place_of_classic_ones(watch: Watch) -> None:
    """What the panels answer from there is no classic series."""
    names = watch.native.get("label/__name__/values")
    assert REQUEST_DURATION.name in names
    assert [name for name in names if name.startswith(f"{REQUEST_DURATION.name}_")] == []


def _missing(server: Prometheus, query: Query) -> str | None:
    # What a fault makes appear may be some time ago, and a busy machine leaves scrapes out.
    found = server.query_range(query.expression, seconds=SHOWN_SECONDS, step=4)
    values = [float(value) for series in found for _, value in series.get("values", ())]
    values += [float(value["sum"]) for series in found for _, value in series.get("histograms", ())]
    if not values:
        return "no data"
    return None if all(map(math.isfinite, values)) else "not finite"


@pytest.mark.parametrize("histograms", ["prometheus", "native"])
def test_every_rule_evaluates(histograms: str, watch: Watch) -> None:
    server: Prometheus = getattr(watch, histograms)
    found = [rule for group in server.get("rules")["groups"] for rule in group["rules"]]
    assert len(found) > 50
    assert [(rule["name"], rule["health"], rule.get("lastError")) for rule in found if rule["health"] != "ok"] == []


def test_what_is_recorded_of_buckets_adds_up_to_what_is_recorded_of_requests(watch: Watch) -> None:
    buckets = 'job_le:http_server_request_duration_seconds_bucket:rate5m{le="+Inf"}'
    ratio = watch.prometheus.value(f"{buckets} / on (job) job:http_server_requests:rate5m")
    assert ratio == pytest.approx(1, abs=0.05)


def test_every_metric_that_is_exported_is_on_a_dashboard(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    shown = set().union(*(metrics(query.expression) for query in queries()))
    present = {name for name in watch.prometheus.get("label/__name__/values") if name in OURS}
    exported = [metric for metric in METRICS if present & set(metric.sample_names)]
    missing = [metric.name for metric in exported if not shown & set(metric.sample_names)]
    with capsys.disabled():
        print(f"\n{len(exported) - len(missing)} of {len(exported)} exported metrics are on a dashboard")
    assert missing == []


def test_a_fault_reaches_whoever_has_to_know_and_so_does_its_cure(
    watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One fault after the other: what is told of one would mute, or be mixed up with, what is told of another."""
    lines = [_slow(watch), _failing(watch), _hanging(watch)]
    marked = {one["metric"]["alertname"] for one in watch.prometheus.query_range(events()["Alerts"], SINCE)}
    assert marked >= set(TOLD)
    with capsys.disabled():
        print("\n" + "\n".join(lines))


def _slow(watch: Watch) -> str:
    begun = _break(watch, seconds=3.0)
    told = _told(watch, begun, "/chat", "firing", alertname="ASGIHighLatency", severity="warning")
    assert re.fullmatch(
        r"The slowest 5 % of requests to shop take longer than [\d.]+s( \d+ms)?", told.annotations["summary"]
    )
    assert told.annotations["dashboard_url"] == "http://localhost:3000/d/stethoscope-overview?var-job=shop"
    assert "/d/stethoscope-runbook?viewPanel=" in told.annotations["runbook_url"]
    assert watch.receiver.arrived(begun, "/page", "firing", alertname="ASGIHighLatency") is None
    return _timed("latency of 3 s", watch, begun, told)


def _failing(watch: Watch) -> str:
    begun = _break(watch, share=0.6)
    told = _told(watch, begun, "/page", "firing", alertname="ASGIHighErrorRate", severity="critical")
    assert re.fullmatch(r"[\d.]+% of requests to shop fail", told.annotations["summary"])
    assert told.labels["job"] == "shop"

    def muted() -> bool | None:
        found = httpx.get(f"{watch.alertmanager}/api/v2/alerts", params={"filter": 'severity="warning"'}).json()
        return (
            any(one["labels"]["alertname"] == "ASGIHighErrorRate" and one["status"]["inhibitedBy"] for one in found)
            or None
        )

    assert wait_for("the critical alert to mute the warning", muted)
    return _timed("60 % of requests fail", watch, begun, told)


def _hanging(watch: Watch) -> str:
    # The first process would replace workers that hang, so that it goes first.
    processes = [watch.shop.server.pid, *watch.shop.server.children()]
    begun = time.monotonic()
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        told = _told(watch, begun, "/page", "firing", alertname="ASGITargetDown", severity="critical")
        assert told.labels["instance"] in watch.shop.server.url
        assert told.annotations["summary"] == f"{told.labels['instance']} of shop cannot be scraped"
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
    return _timed("workers stop", watch, begun, told)


def _break(watch: Watch, share: float = 0.0, seconds: float = 0.0) -> float:
    watch.shop.break_down(share, seconds)
    return time.monotonic()


def _told(watch: Watch, since: float, path: str, status: str, **labels: str) -> Notice:
    return wait_for(f"{labels} to be {status}", lambda: watch.receiver.arrived(since, path, status, **labels))


def _timed(what: str, watch: Watch, begun: float, told: Notice) -> str:
    """Cure it, wait for that to be told too, and say how long both took."""
    cured = _break(watch, share=USUAL_FAILURES)
    over = _told(
        watch, cured, told.path, "resolved", alertname=told.labels["alertname"], severity=told.labels["severity"]
    )
    return (
        f"{what}: {told.labels['alertname']} ({told.labels['severity']}) told after {told.at - begun:.1f} s, "
        f"its end {over.at - cured:.1f} s after the cure"
    )
