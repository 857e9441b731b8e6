"""What is written: each file's path and text, from a configuration. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from stethoscope.signals import alerts, runbook
from stethoscope.signals import stack as made
from stethoscope.signals.alertmanager import DEFAULT_RECEIVERS, TEMPLATES, Receivers, configuration, templates
from stethoscope.signals.board import for_import, render
from stethoscope.signals.boards import BOARDS
from stethoscope.signals.config import Config
from stethoscope.signals.panels import JSON
from stethoscope.signals.recording import recordings
from stethoscope.signals.yaml import dump

Files = Mapping[str, str]
"""Text by path, relative to the folder that they are written to."""

MIXIN: Final = """\
// What jsonnet users take: dashboards and rules as a mixin.
{
  grafanaDashboards+:: {
%s
  },
  prometheusRules+:: std.parseYaml(importstr 'rules/recording.yaml'),
  prometheusAlerts+:: std.parseYaml(importstr 'rules/alerts.yaml'),
}
"""


def boards(config: Config) -> Mapping[str, JSON]:
    """The dashboards by file name."""
    return {f"{board.key}.json": render(board, config) for board in (*BOARDS, runbook.board(config))}


def dashboards(config: Config) -> Files:
    found = boards(config)
    return {
        **{f"dashboards/{name}": _json(board) for name, board in found.items()},
        **{f"dashboards/grafana.com/{name}": _json(for_import(board)) for name, board in found.items()},
        "mixin.libsonnet": MIXIN % "\n".join(f"    '{name}': import 'dashboards/{name}'," for name in found),
    }


def rules(config: Config) -> Files:
    return {"rules/recording.yaml": dump(recording_rules(config)), "rules/alerts.yaml": dump(alerting_rules(config))}


def recording_rules(config: Config) -> dict[str, list[Any]]:
    return {
        "groups": [{"name": name, "rules": [one.rule() for one in found]} for name, found in recordings(config).items()]
    }


def alerting_rules(config: Config) -> dict[str, list[Any]]:
    return {"groups": [{"name": "stethoscope-alerts", "rules": alerts.rules(config)}]}


def runbooks(config: Config) -> Files:
    return {"runbook.md": runbook.page(config)}


def alertmanager(config: Config, receivers: Receivers = DEFAULT_RECEIVERS) -> Files:
    return {
        "alertmanager/alertmanager.yaml": dump(configuration(config, receivers)),
        f"alertmanager/{TEMPLATES}": templates(config),
    }


def stack(config: Config) -> Files:
    groups = [*recording_rules(config)["groups"], *alerting_rules(config)["groups"]]
    maps = (made.config_map(name, json.dumps(board, ensure_ascii=False)) for name, board in boards(config).items())
    return {
        "provisioning/datasources/stethoscope.yaml": dump(made.datasources(config)),
        "provisioning/dashboards/stethoscope.yaml": dump(made.provider()),
        "prometheus/prometheus.yaml": dump(made.prometheus(config)),
        "compose/compose.yaml": dump(made.compose(config)),
        "kubernetes/service-monitor.yaml": "---\n".join(
            (dump(made.metrics_service(config)), dump(made.service_monitor(config)))
        ),
        "kubernetes/rules.yaml": dump(made.prometheus_rule(config, groups)),
        "kubernetes/dashboards.yaml": "---\n".join(map(dump, maps)),
    }


def _json(board: JSON) -> str:
    return json.dumps(board, indent=2, ensure_ascii=False) + "\n"


KINDS: Final[Mapping[str, Callable[[Config], Files]]] = {
    "dashboards": dashboards,
    "rules": rules,
    "alertmanager": alertmanager,
    "runbook": runbooks,
    "stack": stack,
}
"""What each command writes."""


def everything(config: Config) -> Files:
    return {path: text for make in KINDS.values() for path, text in make(config).items()}
