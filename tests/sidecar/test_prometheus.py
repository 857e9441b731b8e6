"""A real Prometheus reads a sidecar both ways: all services in one page, and one by one as it discovers them."""

from __future__ import annotations

from pathlib import Path

from stethoscope.store.home import find_folder
from stethoscope.store.recorder import Recorder
from tests.grafana.programs import Prometheus, prometheus, wait_for
from tests.process.stores import REQUESTS
from tests.scrape import TOKEN
from tests.servers import HOST
from tests.sidecar.running import sidecar

CONFIG = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: all
    authorization: {{credentials: {token}}}
    static_configs:
      - targets: ["{address}"]
  - job_name: found
    authorization: {{credentials: {token}}}
    http_sd_configs:
      - url: http://{address}/services
        authorization: {{type: Bearer, credentials: {token}}}
        refresh_interval: 1s
    relabel_configs:
      - source_labels: [service_name]
        target_label: job
"""


def by_service(server: Prometheus, job: str) -> dict[str, float]:
    found = server.query(f'requests_total{{job=~"{job}"}}')
    return {f"{one['metric']['job']}/{one['metric']['service_name']}": float(one["value"][1]) for one in found}


def test_prometheus_takes_the_common_page_and_finds_each_service(place: Path, tmp_path: Path) -> None:
    recorders = {}
    for service, count in (("shop", 2.0), ("till", 3.0)):
        recorders[service] = Recorder(service, find_folder(service, shared=True, directory=str(place)))
        recorders[service].counter(REQUESTS, ("/",)).add(count)
    with sidecar("--dir", str(place), env={"STETHOSCOPE_TOKEN": TOKEN}) as beside:
        config = CONFIG.format(address=f"{HOST}:{beside.port}", token=TOKEN)
        with prometheus(tmp_path, config) as server:
            everything = {"all/shop": 2.0, "all/till": 3.0, "shop/shop": 2.0, "till/till": 3.0}
            wait_for("all series", lambda: by_service(server, ".*") == everything or None)
            assert [one["value"][1] for one in server.query("up")] == ["1", "1", "1"]
            assert server.value('process_memory_usage_bytes{job="all",service_name="stethoscope-sidecar"}')
