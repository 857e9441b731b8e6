"""What signals answer where services, hosts and pools are unlike each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stethoscope.names.attributes import SERVICE_LABEL
from stethoscope.signals.config import Config
from stethoscope.signals.database import POOL, POOL_USE
from stethoscope.signals.machine import MODE_SECONDS, NETWORK
from stethoscope.signals.objectives import OBJECTIVE
from stethoscope.signals.runtime import FILES, MEMORY, WORKER, WORKER_CPU
from tests.grafana.case import levels, values
from tests.grafana.expressions import filled
from tests.grafana.promtool import run

IN_PANELS = Config().in_panels()


def wrong(folder: Path, series: Mapping[str, float | str], expected: Mapping[str, Mapping[str, float]]) -> str:
    """What promtool finds wrong: gauges that stay as they are, or values as promtool writes them, and the samples by their labels that each expression gives."""
    (folder / "none.yaml").write_text("groups: []")
    given = [
        {"series": name, "values": value if isinstance(value, str) else levels((10, value))}
        for name, value in series.items()
    ]
    expressions = [
        {
            "expr": filled(expression),
            "eval_time": "5m",
            "exp_samples": [{"labels": labels, "value": value} for labels, value in samples.items()],
        }
        for expression, samples in expected.items()
    ]
    test = {"interval": "1m", "input_series": given, "promql_expr_test": expressions}
    return run(folder, [test], "none.yaml", 1)


def test_what_scraping_calls_a_service_is_named_once() -> None:
    """It may be what the sidecar calls it too."""
    expression = FILES.expression(Config(job_label=SERVICE_LABEL).in_panels())
    assert f"on ({SERVICE_LABEL}, instance, pid)" in expression


def test_processes_of_a_pod_stay_apart_that_have_the_same_id(tmp_path: Path) -> None:
    app, sidecar = (
        f'job="shop", instance="a", service_name="{service}", pid="1"' for service in ("shop", "stethoscope-sidecar")
    )
    series: dict[str, float | str] = {}
    for labels, files, busy, memory in ((app, 500, 0.2, 900), (sidecar, 10, 0.1, 50)):
        series[f"process_unix_file_descriptor_count{{{labels}}}"] = files
        series[f"stethoscope_process_file_descriptor_limit{{{labels}}}"] = 1000
        series[f"process_memory_usage_bytes{{{labels}}}"] = memory
        for mode in ("user", "system"):
            series[f'process_cpu_utilization_ratio{{{labels}, cpu_mode="{mode}"}}'] = busy
    each = [f'{{instance="a", pid="1", service_name="{service}"}}' for service in ("shop", "stethoscope-sidecar")]
    expected = {
        FILES.expression(IN_PANELS): {"{}": 0.5},
        WORKER_CPU.expression(IN_PANELS.keep("instance")): dict(zip(each, (0.4, 0.2), strict=True)),
        MEMORY.expression(IN_PANELS.keep("instance", *WORKER)): dict(zip(each, (900.0, 50.0), strict=True)),
    }
    assert wrong(tmp_path, series, expected) == ""


def test_the_machine_of_a_page_counts_once_however_many_services_it_has(tmp_path: Path) -> None:
    busy, received = values((10, 2)), values((10, 100))
    series: dict[str, float | str] = {}
    for host in ("a", "b"):
        for service in ("shop", "till"):
            labels = f'job="stethoscope", instance="{host}", service_name="{service}"'
            series[f'system_cpu_time_seconds_total{{{labels}, cpu_mode="user"}}'] = busy
            for way in ("receive", "transmit"):
                of = f'network_interface_name="lo", network_io_direction="{way}"'
                series[f"system_network_io_bytes_total{{{labels}, {of}}}"] = received
    both = [f'{{network_interface_name="lo", network_io_direction="{way}"}}' for way in ("receive", "transmit")]
    for config in (Config(), Config(job_label=SERVICE_LABEL)):
        frame = config.in_panels("5m")
        expected = {
            MODE_SECONDS.expression(frame): {'{cpu_mode="user"}': 4.0},
            MODE_SECONDS.expression(frame.keep("instance")): {
                f'{{instance="{host}", cpu_mode="user"}}': 2.0 for host in ("a", "b")
            },
            NETWORK.expression(frame): dict.fromkeys(both, 200.0),
        }
        assert wrong(tmp_path, series, expected) == ""


def test_objectives_are_shown_of_the_services_that_are_chosen(tmp_path: Path) -> None:
    series = {
        'slo:objective:share{slo="latency"}': 0.9,
        'slo:objective:share{slo="availability", job="shop"}': 0.99,
        'slo:objective:share{slo="availability", job="till"}': 0.999,
    }
    chosen = OBJECTIVE.expression(IN_PANELS).replace("$job", "shop")
    expected = {chosen: {'{slo="latency"}': 0.9, '{slo="availability"}': 0.99}}
    assert wrong(tmp_path, series, expected) == ""


def test_a_pool_is_as_full_as_if_it_was_alone(tmp_path: Path) -> None:
    """Half of one is in use; beside it are one that has no limit, and one of its name that is idle, on another host."""
    series: dict[str, float] = {}
    for host, pool, used, limit in (("a", "main", 5, 10), ("a", "reports", 20, None), ("b", "main", 0, 10)):
        labels = f'job="shop", instance="{host}", {POOL}="{pool}"'
        series[f'db_client_connection_count{{{labels}, db_client_connection_state="used"}}'] = used
        if limit is not None:
            series[f"db_client_connection_max{{{labels}}}"] = limit
    expected = {
        POOL_USE.expression(IN_PANELS): {"{}": 0.5},
        POOL_USE.expression(IN_PANELS.keep(POOL)): {f'{{{POOL}="main"}}': 0.5},
    }
    assert wrong(tmp_path, series, expected) == ""
