"""The demo's shop under traffic with faults, scraped by a real Prometheus: what dashboards and rules make of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from stethoscope.names import METRICS
from stethoscope.signals.config import Config
from stethoscope.signals.files import everything
from tests.grafana.expressions import OURS, Query, metrics, queries
from tests.grafana.live import Shop, scraping, shop
from tests.grafana.programs import Prometheus, prometheus, wait_for
from tests.postgresql import Cluster

pytestmark = [pytest.mark.xdist_group("grafana"), pytest.mark.timeout(400)]

WARM_UP_SECONDS = 16


@pytest.fixture(scope="module")
def open_shop(postgresql: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("shop"), postgresql) as opened:
        opened.break_down(share=0.05)
        yield opened


@pytest.fixture(scope="module")
def watching(open_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    for name, text in everything(Config()).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    target = open_shop.server.url.removeprefix("http://")
    with prometheus(folder, scraping(target, "rules/*.yaml")) as server:
        seen = f"count_over_time(up[{WARM_UP_SECONDS * 2}s]) >= {WARM_UP_SECONDS}"
        wait_for("some scrapes", lambda: server.query(seen) or None)
        yield server


def test_every_panel_of_every_dashboard_has_finite_data(watching: Prometheus) -> None:
    wrong = [f"{query}: {what}" for query in queries() if (what := _missing(watching, query))]
    assert not wrong, "\n".join(wrong)


def _missing(server: Prometheus, query: Query) -> str | None:
    # What a fault makes appear may be some seconds old.
    found = server.query_range(query.expression, seconds=WARM_UP_SECONDS, step=4)
    values = [float(value) for series in found for _, value in series.get("values", ())]
    values += [float(value["sum"]) for series in found for _, value in series.get("histograms", ())]
    if not values:
        return "no data"
    return None if all(map(math.isfinite, values)) else "not finite"


def test_every_rule_evaluates(watching: Prometheus) -> None:
    rules = [rule for group in watching.get("rules")["groups"] for rule in group["rules"]]
    assert len(rules) > 50
    assert [(rule["name"], rule["health"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []


def test_what_is_recorded_of_buckets_adds_up_to_what_is_recorded_of_requests(watching: Prometheus) -> None:
    buckets = 'job_le:http_server_request_duration_seconds_bucket:rate5m{le="+Inf"}'
    ratio = watching.value(f"{buckets} / on (job) job:http_server_requests:rate5m")
    assert ratio == pytest.approx(1, abs=0.05)


def test_every_metric_that_is_exported_is_on_a_dashboard(
    watching: Prometheus, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = set().union(*(metrics(query.expression) for query in queries()))
    present = {name for name in watching.get("label/__name__/values") if name in OURS}
    exported = [metric for metric in METRICS if present & set(metric.sample_names)]
    missing = [metric.name for metric in exported if not shown & set(metric.sample_names)]
    with capsys.disabled():
        print(f"\n{len(exported) - len(missing)} of {len(exported)} exported metrics are on a dashboard")
    assert missing == []
