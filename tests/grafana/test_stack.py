"""What runs dashboards and rules is what its readers take, and its parts fit together."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from stethoscope.signals.alerts import rules
from stethoscope.signals.config import Config
from stethoscope.signals.files import boards, everything, stack
from stethoscope.signals.yaml import dump

FILES = everything(Config())
_OF_AN_OPERATOR = ("ServiceMonitor", "PrometheusRule")
"""Kinds whose schemas come with an operator, not with Kubernetes."""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def run(*command: str, cwd: Path) -> str:
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all(FILES[name]))


def test_compose_takes_the_stack(written: Path) -> None:
    (written / "compose/token").write_text("a-token")
    # The first release of Compose wants a version, which the specification has dropped.
    content = "version: '3.9'\n" + FILES["compose/compose.yaml"]
    (written / "compose/old.yaml").write_text(content)
    made = yaml.safe_load(run("docker-compose", "-f", "old.yaml", "config", cwd=written / "compose"))
    assert set(made["services"]) == {"app", "sidecar", "prometheus", "alertmanager", "grafana"}
    for service in made["services"].values():
        for volume in service["volumes"]:
            source = volume.split(":")[0] if isinstance(volume, str) else volume.get("source", "")
            assert not source.startswith("/") or Path(source).exists(), source


def test_prometheus_takes_its_configuration_with_the_rules(written: Path) -> None:
    text = FILES["prometheus/prometheus.yaml"].replace("rules/*.yaml", f"{written}/rules/*.yaml")
    token = written / "token"
    token.write_text("a-token")
    (written / "p.yaml").write_text(text.replace("/run/secrets/stethoscope_token", str(token)))
    said = run("promtool", "check", "config", "p.yaml", cwd=written)
    assert "2 rule files found" in said


def test_kubernetes_takes_its_objects() -> None:
    for name in FILES:
        if name.startswith("kubernetes/"):
            for document in documents(name):
                if document["kind"] not in _OF_AN_OPERATOR:
                    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_the_operator_gets_the_same_rules(tmp_path: Path) -> None:
    [rule] = documents("kubernetes/rules.yaml")
    (tmp_path / "rules.yaml").write_text(dump({"groups": rule["spec"]["groups"]}))
    run("promtool", "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml", cwd=tmp_path)
    assert [one["alert"] for one in rule["spec"]["groups"][-1]["rules"]] == [one["alert"] for one in rules(Config())]


def test_config_maps_hold_the_dashboards_and_fit_into_a_cluster() -> None:
    held = {}
    for document in documents("kubernetes/dashboards.yaml"):
        held.update({name: json.loads(text) for name, text in document["data"].items()})
        # What a ConfigMap may hold, and what kubectl apply keeps of it beside it.
        assert len(json.dumps(document)) < 262_144
    assert held == boards(Config())


def test_the_monitor_finds_the_service() -> None:
    service, monitor = documents("kubernetes/service-monitor.yaml")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]


def test_grafana_rates_over_the_interval_of_scrapes() -> None:
    files = everything(Config(scrape_seconds=30))
    [source] = yaml.safe_load(files["provisioning/datasources/stethoscope.yaml"])["datasources"]
    scraped = yaml.safe_load(files["prometheus/prometheus.yaml"])["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scraped == "30s"


def test_rules_for_one_service_leave_those_for_another_in_place() -> None:
    names = [
        yaml.safe_load(stack(Config(service=service))["kubernetes/rules.yaml"])["metadata"]["name"]
        for service in (None, "shop", "till")
    ]
    assert names == ["stethoscope", "stethoscope-shop", "stethoscope-till"]
