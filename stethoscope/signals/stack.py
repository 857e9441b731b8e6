"""What runs dashboards and rules: provisioning, Prometheus' configuration, a compose stack, Kubernetes objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from stethoscope.signals.config import Config

PROMETHEUS_UID: Final = "prometheus"
TOKEN: Final = "/run/secrets/stethoscope_token"
_USER: Final = "10001"


def datasources(config: Config) -> dict[str, Any]:
    """Grafana's data source. `timeInterval` has to be the interval of scrapes, or `$__rate_interval` is wrong."""
    return {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "Prometheus",
                "uid": PROMETHEUS_UID,
                "type": "prometheus",
                "access": "proxy",
                "url": "http://prometheus:9090",
                "isDefault": True,
                "jsonData": {
                    "httpMethod": "POST",
                    "prometheusType": "Prometheus",
                    "timeInterval": f"{config.scrape_seconds}s",
                    # Of whatever keeps the traces; without it an exemplar shows its trace ID and leads nowhere.
                    "exemplarTraceIdDestinations": [{"name": "trace_id", "datasourceUid": "tempo"}],
                },
            }
        ],
    }


def provider() -> dict[str, Any]:
    """Where Grafana finds the dashboards."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "stethoscope",
                "folder": "ASGI",
                "type": "file",
                "disableDeletion": True,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 30,
                "options": {"path": "/etc/grafana/dashboards"},
            }
        ],
    }


def prometheus(config: Config) -> dict[str, Any]:
    job = config.service or "app"
    return {
        "global": {"scrape_interval": f"{config.scrape_seconds}s", "evaluation_interval": f"{config.scrape_seconds}s"},
        "rule_files": ["rules/*.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]},
        "scrape_configs": [
            {
                "job_name": job,
                "authorization": {"credentials_file": TOKEN},
                "static_configs": [{"targets": ["sidecar:9464"]}],
            }
        ],
    }


def compose(config: Config) -> dict[str, Any]:
    """App, sidecar, Prometheus, Alertmanager and Grafana. The token is in a file beside it."""
    job = config.service or "app"
    recorded = {"STETHOSCOPE_SERVICE": job, "STETHOSCOPE_DIR": "/run/stethoscope/segments"}
    image = {"image": "${STETHOSCOPE_IMAGE:-stethoscope-app}", "user": _USER, "environment": recorded}
    shared, token = {"volumes": ["segments:/run/stethoscope"]}, {"secrets": ["stethoscope_token"]}
    sidecar = f"STETHOSCOPE_TOKEN=$$(cat {TOKEN}) exec stethoscope sidecar --listen :9464"
    return {
        "services": {
            "app": {
                **image,
                **shared,
                "command": ["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000", "--workers", "2"],
                "ports": ["8000:8000"],
            },
            "sidecar": {**image, **shared, **token, "command": ["sh", "-c", sidecar]},
            "prometheus": {
                "image": "docker.io/prom/prometheus:v3.5.0",
                "command": [
                    "--config.file=/etc/prometheus/prometheus.yaml",
                    "--storage.tsdb.retention.time=40d",
                    "--enable-feature=exemplar-storage",
                ],
                "volumes": [
                    "../prometheus/prometheus.yaml:/etc/prometheus/prometheus.yaml:ro",
                    "../rules:/etc/prometheus/rules:ro",
                    "prometheus:/prometheus",
                ],
                **token,
                "ports": ["127.0.0.1:9090:9090"],
            },
            "alertmanager": {
                "image": "docker.io/prom/alertmanager:v0.28.1",
                "command": ["--config.file=/etc/alertmanager/alertmanager.yaml", "--storage.path=/alertmanager"],
                "volumes": ["../alertmanager:/etc/alertmanager:ro", "alertmanager:/alertmanager"],
                "ports": ["127.0.0.1:9093:9093"],
            },
            "grafana": {
                "image": "docker.io/grafana/grafana:12.1.0",
                "volumes": [
                    "../provisioning:/etc/grafana/provisioning:ro",
                    "../dashboards:/etc/grafana/dashboards:ro",
                    "grafana:/var/lib/grafana",
                ],
                "ports": ["127.0.0.1:3000:3000"],
            },
        },
        # In memory, and of the user that app and sidecar run as.
        "volumes": {
            "segments": {
                "driver": "local",
                "driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": f"uid={_USER},mode=0700,size=64m"},
            },
            "prometheus": {},
            "alertmanager": {},
            "grafana": {},
        },
        "secrets": {"stethoscope_token": {"file": "./token"}},
    }


def service_monitor(config: Config) -> dict[str, Any]:
    """For the Prometheus operator: scrape what a Service with the port `metrics` leads to."""
    name = config.service or "app"
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {"name": name, "labels": _LABELS},
        "spec": {
            "jobLabel": "app.kubernetes.io/name",
            "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "endpoints": [
                {
                    "port": "metrics",
                    "path": "/metrics",
                    "interval": f"{config.scrape_seconds}s",
                    "authorization": {"credentials": {"name": f"{name}-metrics", "key": "token"}},
                }
            ],
        },
    }


def metrics_service(config: Config) -> dict[str, Any]:
    """The Service that the monitor selects: one address a pod, none for all."""
    name = config.service or "app"
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"{name}-metrics", "labels": {**_LABELS, "app.kubernetes.io/name": name}},
        "spec": {
            "clusterIP": "None",
            "selector": {"app.kubernetes.io/name": name},
            "ports": [{"name": "metrics", "port": 9464, "targetPort": "metrics"}],
        },
    }


def prometheus_rule(config: Config, groups: list[Any]) -> dict[str, Any]:
    """Named after the service, if the rules are for one, so that others can have theirs beside it."""
    name = f"stethoscope-{config.service}" if config.service else "stethoscope"
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": name, "labels": _LABELS},
        "spec": {"groups": groups},
    }


def config_map(name: str, dashboard: str) -> dict[str, Any]:
    """A dashboard where Grafana's Helm chart looks for them: its sidecar takes what has this label."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"stethoscope-{name.removesuffix('.json')}",
            "labels": {**_LABELS, "grafana_dashboard": "1"},
            "annotations": {"grafana_folder": "ASGI"},
        },
        "data": {name: dashboard},
    }


_LABELS: Final[Mapping[str, str]] = {"app.kubernetes.io/part-of": "stethoscope"}
