"""Cases as the unit tests that promtool runs."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

from stethoscope.signals.alerts import rules as alerting_rules
from stethoscope.signals.config import Config
from stethoscope.signals.files import rules as rule_files
from stethoscope.signals.yaml import dump
from tests.grafana.case import Case

RULES: Final[tuple[dict[str, Any], ...]] = tuple(alerting_rules(Config()))
"""All alerting rules."""

RECORDINGS: Final = rule_files(Config())["rules/recording.yaml"]


def named(alert: str) -> list[dict[str, Any]]:
    return [rule for rule in RULES if rule["alert"] == alert]


def wrong(folder: Path, cases: Sequence[Case], alerts: Sequence[Mapping[str, Any]]) -> str:
    """What promtool finds wrong where these alerting rules are all there is; empty when all cases hold."""
    (folder / "alerts.yaml").write_text(dump({"groups": [{"name": "alerts", "rules": alerts}]}))
    return "\n".join(
        filter(
            None,
            (
                run(folder, [_test(one) for one in cases if one.step == step], "alerts.yaml", step)
                for step in (1, 5, 10)
            ),
        )
    )


def run(folder: Path, tests: Sequence[Mapping[str, Any]], rules: str, step: int) -> str:
    """What promtool says of unit tests that fail; empty when none does. ``step`` is in minutes."""
    if not tests:
        return ""
    content = {"rule_files": [rules], "evaluation_interval": f"{step}m", "tests": tests}
    (folder / "test.yaml").write_text(json.dumps(content))
    command = ["promtool", "test", "rules", "test.yaml"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return ended.stdout + ended.stderr if ended.returncode else ""


def _test(case: Case) -> dict[str, Any]:
    by = ", ".join(("severity", *case.labels))
    chosen = _labels({"alertname": case.alert, "alertstate": "firing", **case.labels})
    return {
        "name": f"{case.alert}: {case.claim}",
        "interval": f"{case.step}m",
        "input_series": [{"series": series, "values": text} for series, text in case.series.items()],
        "promql_expr_test": [
            {
                "expr": f"count by ({by}) (ALERTS{chosen})",
                "eval_time": f"{minute}m",
                "exp_samples": [
                    {"labels": _labels({"severity": severity, **case.labels}), "value": 1}
                    for severity in sorted(severities)
                ],
            }
            for minute, severities in case.fires.items()
        ],
        **({"alert_rule_test": [_annotated(case, *case.summaries)]} if case.summaries else {}),
    }


def _annotated(case: Case, minute: int, summaries: Mapping[str, str]) -> dict[str, Any]:
    """What a receiver would be given, to the letter."""
    alerts = []
    for severity, summary in summaries.items():
        labels = {**({"job": "shop"} if case.series else {}), **case.labels, "severity": severity}
        rule = next(rule for rule in named(case.alert) if labels.items() >= rule["labels"].items())
        link = _linked(rule["annotations"]["dashboard_url"], labels)
        annotations = {**rule["annotations"], "summary": summary, "dashboard_url": link}
        alerts.append({"exp_labels": labels, "exp_annotations": annotations})
    return {"eval_time": f"{minute}m", "alertname": case.alert, "exp_alerts": alerts}


def _linked(url: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"{{ \$labels\.(\w+) \| urlquery }}", lambda found: quote_plus(labels.get(found[1], "")), url)


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
