"""What signals answer where services, hosts and pools are unlike each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stethoscope.names.attributes import SERVICE_LABEL
from stethoscope.signals.config import Config
from stethoscope.signals.runtime import FILES, MEMORY, WORKER, WORKER_CPU
from tests.grafana.case import levels
from tests.grafana.expressions import filled
from tests.grafana.promtool import run

IN_PANELS = Config().in_panels()


def wrong(folder: Path, series: Mapping[str, float], expected: Mapping[str, Mapping[str, float]]) -> str:
    """What promtool finds wrong: gauges that stay as they are, and the samples by their labels that each expression gives."""
    (folder / "none.yaml").write_text("groups: []")
    given = [{"series": name, "values": levels((10, value))} for name, value in series.items()]
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
    series: dict[str, float] = {}
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
