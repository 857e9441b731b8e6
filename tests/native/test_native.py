"""What Prometheus 2.42 answers about histograms that it scraped in the protobuf format."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from tests.grafana.programs import Prometheus, prometheus, wait_for
from tests.native.app import DISTRIBUTIONS, OBSERVATIONS, drawn
from tests.servers import HOST, Server, serve

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
FEATURES = ("native-histograms", "exemplar-storage")


def scraping(server: Server, *histograms: str) -> str:
    """A configuration with one job for each way to ask for histograms."""
    jobs = [
        f"{{job_name: '{name or 'plain'}', params: {{histograms: ['{name}']}}, "
        f"static_configs: [{{targets: ['{HOST}:{server.port}']}}]}}"
        for name in histograms
    ]
    return f"global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs: [{', '.join(jobs)}]"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("native")
    env = {"STETHOSCOPE_DIR": str(folder / "segments"), "STETHOSCOPE_SERVICE": "native"}
    with serve("uvicorn", "tests.native.traced:app", env=env) as server:
        traced = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        assert httpx.get(f"{server.url}/record", headers=traced, timeout=60).text == "recorded"
        with prometheus(folder, scraping(server, "native", ""), FEATURES) as found:
            wait_for("both jobs", lambda: len(found.query("up == 1")) == 2 or None)
            wait_for("counts", lambda: found.query("histogram_count(drawn_seconds)") or None)
            yield found


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.95, 0.99])
def test_quantiles_are_within_two_percent_of_the_truth(watched: Prometheus, name: str, quantile: float) -> None:
    truth = float(np.quantile(drawn(name), quantile))
    answer = watched.value(f'histogram_quantile({quantile}, drawn_seconds{{distribution="{name}"}})')
    assert answer == pytest.approx(truth, rel=0.02)


def test_counts_sums_and_fractions_are_those_that_were_recorded(watched: Prometheus) -> None:
    assert watched.value('histogram_count(drawn_seconds{distribution="lognormal"})') == OBSERVATIONS
    total = watched.value('histogram_sum(drawn_seconds{distribution="lognormal"})')
    assert total == pytest.approx(sum(drawn("lognormal")))
    below = watched.value('histogram_fraction(0, 0.0625, drawn_seconds{distribution="exponential"})')
    truth = sum(value <= 0.0625 for value in drawn("exponential")) / OBSERVATIONS
    assert below == pytest.approx(truth, abs=1e-4)


def test_the_classic_buckets_are_there_for_who_does_not_ask_for_native_ones(watched: Prometheus) -> None:
    assert watched.query('drawn_seconds_bucket{job="plain"}')
    assert not watched.query('drawn_seconds_bucket{job="native"}')
    for job in ("plain", "native"):
        portable = (
            f'histogram_quantile(0.5, sum by (le, job) (drawn_seconds_bucket{{job="{job}"}})) '
            f'or histogram_quantile(0.5, sum by (job) (drawn_seconds{{job="{job}"}}))'
        )
        assert watched.value(portable)


def test_counters_gauges_and_foreign_families_come_along(watched: Prometheus) -> None:
    assert watched.value('stethoscope_workers{job="native"}') == 1
    assert watched.value('build_info{job="native", version="1.0 \\"beta\\""}') == 1
    assert watched.value('http_server_active_requests{job="native"}') == 0
    assert watched.query('histogram_count(http_server_request_duration_seconds{job="native", http_route="/record"})')


@pytest.mark.parametrize("job", ["native", "plain"])
def test_exemplars_lead_to_the_trace(watched: Prometheus, job: str) -> None:
    bucket = "_bucket" if job == "plain" else ""

    def found() -> list[dict[str, str]] | None:
        query = f'http_server_request_duration_seconds{bucket}{{job="{job}", http_route="/record"}}'
        series = watched.ask("query_exemplars", query=query, start=time.time() - 300, end=time.time() + 1)
        return [exemplar["labels"] for one in series for exemplar in one["exemplars"]] or None

    labels = wait_for("an exemplar", found)
    assert {one["trace_id"] for one in labels} == {TRACE}
    assert all(len(one["span_id"]) == 16 for one in labels)
