"""The same page, asked through two databases: Prometheus, and VictoriaMetrics, which reads the text formats."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.grafana.programs import Prometheus, _running, prometheus, wait_for
from tests.native.app import OBSERVATIONS
from tests.native.test_native import scraping
from tests.servers import HOST, free_port, serve

# What panels of dashboards for these projects ask, by project.
INSTRUMENTATOR: Final = (
    "sum(rate(http_requests_total[10s]))",
    'sum by (handler) (rate(http_requests_total{handler!="none"}[10s]))',
    'sum by (method, handler) (rate(http_requests_total{status="2xx"}[10s])) / sum by (method, handler) (rate(http_requests_total[10s]))',
    "rate(http_request_duration_seconds_sum[10s]) / rate(http_request_duration_seconds_count[10s])",
    "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_highr_seconds_bucket[10s])))",
    'sum(rate(http_request_duration_highr_seconds_bucket{le="0.1"}[10s])) / sum(rate(http_request_duration_highr_seconds_count[10s]))',
    "rate(http_request_size_bytes_sum[10s]) / rate(http_request_size_bytes_count[10s])",
    "rate(http_response_size_bytes_sum[10s]) / rate(http_response_size_bytes_count[10s])",
    "http_requests_inprogress",
)
STARLETTE_EXPORTER: Final = (
    'sum by (path) (rate(starlette_requests_total{app_name="answers"}[10s]))',
    'sum by (status_code) (rate(starlette_requests_total{status_code=~"2.."}[10s]))',
    "histogram_quantile(0.95, sum by (path, le) (rate(starlette_request_duration_seconds_bucket[10s])))",
    "sum(rate(starlette_request_duration_seconds_sum[10s])) / sum(rate(starlette_request_duration_seconds_count[10s]))",
    "sum(rate(starlette_response_body_bytes_total[10s]))",
    "sum by (method) (starlette_requests_in_progress)",
)
OURS: Final = (
    "sum by (http_route) (rate(http_server_request_duration_seconds_count[10s]))",
    "histogram_quantile(0.95, sum by (le) (rate(http_server_request_duration_seconds_bucket[10s])))",
    "stethoscope_workers",
)


@contextmanager
def victoria_metrics(folder: Path, config: str) -> Iterator[Prometheus]:
    port = free_port()
    (folder / "scrape.yml").write_text(config)
    command = [
        *("victoria-metrics", f"-promscrape.config={folder / 'scrape.yml'}", f"-storageDataPath={folder / 'data'}"),
        *(f"-httpListenAddr={HOST}:{port}", "-search.latencyOffset=0s", "-search.disableCache"),
    ]
    with _running(command, folder / "victoria.log", f"http://{HOST}:{port}/health") as pid:
        yield Prometheus(f"http://{HOST}:{port}", pid)


@pytest.fixture(scope="module", params=["prometheus", "victoria-metrics"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("answers")
    env = {
        "STETHOSCOPE_DIR": str(folder / "segments"),
        "STETHOSCOPE_SERVICE": "answers",
        "STETHOSCOPE_NAMES": "stethoscope, instrumentator, starlette_exporter",
    }
    start = prometheus if request.param == "prometheus" else victoria_metrics
    with serve("uvicorn", "tests.native.app:app", env=env) as server:
        httpx.get(f"{server.url}/record", timeout=60)
        with start(folder, scraping(server, "native")) as found:

            def counted_up() -> object:
                httpx.get(f"{server.url}/record", timeout=60)
                return found.query("rate(http_server_request_duration_seconds_count[10s]) > 0") or None

            wait_for("requests to count", counted_up)
            yield found


@pytest.mark.parametrize("expression", [*OURS, *INSTRUMENTATOR, *STARLETTE_EXPORTER])
def test_every_panel_has_data(database: Prometheus, expression: str) -> None:
    found = database.query(expression)
    assert found
    assert not all(math.isnan(float(series["value"][1])) for series in found)


def test_what_is_known_of_the_numbers_is_answered(database: Prometheus) -> None:
    def all_drawn() -> bool | None:
        drawn = database.value('drawn_seconds_count{distribution="lognormal"}')
        return None if drawn is None or drawn % OBSERVATIONS else True

    wait_for("a scrape while nothing is drawn", all_drawn)
    requests = database.value('http_server_request_duration_seconds_count{http_route="/record"}')
    assert requests == database.value('starlette_requests_total{path="/record"}')
    median = database.value('histogram_quantile(0.5, drawn_seconds_bucket{distribution="exponential"})')
    assert median == pytest.approx(0.0564, rel=0.02)
