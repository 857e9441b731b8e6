"""All alerts, and the rules that they are for Prometheus."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from stethoscope.signals.alert import Alert, Condition
from stethoscope.signals.config import Config
from stethoscope.signals.database_alerts import DATABASE_ALERTS
from stethoscope.signals.http_alerts import HTTP_ALERTS
from stethoscope.signals.own_alerts import OWN_ALERTS
from stethoscope.signals.panels import identity
from stethoscope.signals.runtime_alerts import RUNTIME_ALERTS
from stethoscope.signals.signal import HOST

ALERTS: Final = (*HTTP_ALERTS, *DATABASE_ALERTS, *RUNTIME_ALERTS, *OWN_ALERTS)

LINKED: Final = {
    "http_route": "route",
    "http_request_method": "method",
    "db_client_connection_pool_name": "pool",
}
"""Labels of alerts that dashboards have as variables of another name."""


def rule(alert: Alert, condition: Condition, config: Config) -> dict[str, Any]:
    """One alerting rule."""
    annotations: dict[str, Any] = {
        "summary": _filled(alert.summary, config),
        "description": alert.meaning,
        "runbook_url": runbook_url(alert, config),
        "dashboard_url": dashboard_url(alert, config),
    }
    # A page that comes and goes within minutes wears people out.
    lasting: dict[str, Any] = {"keep_firing_for": "5m"} if condition.severity == "critical" else {}
    return {
        "alert": alert.name,
        "expr": condition.expression,
        "for": condition.hold,
        **lasting,
        "labels": {"severity": condition.severity, **condition.labels},
        "annotations": annotations,
    }


def rules(config: Config) -> list[dict[str, Any]]:
    return [rule(alert, condition, config) for alert in ALERTS for condition in alert.conditions(config)]


def objects(config: Config) -> list[str]:
    """All labels that tell apart what alerts are about, such as hosts, pools and objectives. Any one alert has a few of them."""
    labels = (label.replace(HOST, config.instance_label) for alert in ALERTS for label in alert.labels)
    return list(dict.fromkeys((*config.service_labels, *labels)))


def _filled(summary: str, config: Config) -> str:
    service = f"{{{{ $labels.{config.job_label} }}}}"
    return summary.replace("<service>", service).replace(HOST, config.instance_label)


def runbook_url(alert: Alert, config: Config) -> str:
    if config.runbook_url is not None:
        return f"{config.runbook_url}#{alert.name.lower()}"
    return f"{config.grafana_url.rstrip('/')}/d/stethoscope-runbook?viewPanel={identity(alert.name)}"


def dashboard_url(alert: Alert, config: Config) -> str:
    """The dashboard that shows the alert, with its labels for variables."""
    labels = [label.replace(HOST, config.instance_label) for label in alert.labels]
    variables = [*config.service_labels, *(label for label in labels if label in (config.instance_label, *LINKED))]
    query = "&".join(
        f"var-{quote(LINKED.get(label, label))}={{{{ $labels.{label} | urlquery }}}}" for label in variables
    )
    return f"{config.grafana_url.rstrip('/')}/d/stethoscope-{alert.board}?{query}"
