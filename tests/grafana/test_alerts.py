"""Each alert fires when it should, says what it should, and is silent just below and just before."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stethoscope.signals.alerts import ALERTS
from stethoscope.signals.config import Config
from stethoscope.signals.files import boards, everything, rules
from tests.grafana.cases import CASES
from tests.grafana.promtool import RULES, named, wrong

NAMES = sorted({alert.name for alert in ALERTS})


@pytest.mark.parametrize("alert", NAMES)
def test_it_fires_and_is_silent_when_it_should(alert: str, tmp_path: Path) -> None:
    assert wrong(tmp_path, [case for case in CASES if case.alert == alert], named(alert)) == ""


@pytest.mark.parametrize("alert", NAMES)
def test_there_are_cases_in_which_each_of_its_rules_fires_and_is_silent(alert: str) -> None:
    states = [severities for case in CASES if case.alert == alert for severities in case.fires.values()]
    severities = {rule["labels"]["severity"] for rule in named(alert)}
    assert frozenset().union(*states) == severities
    if alert != "Watchdog":
        assert all(any(severity not in state for state in states) for severity in severities)
    assert any(case.summaries for case in CASES if case.alert == alert)


def test_promtool_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    files = [tmp_path / Path(name).name for name in rules(Config())]
    for path, text in zip(files, rules(Config()).values(), strict=True):
        path.write_text(text)
    command = ["promtool", "check", "rules", "--lint=all", "--lint-fatal", *map(str, files)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_every_alert_has_what_whoever_is_woken_needs() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning", "info", "none"), rule["alert"]
        for annotation in ("summary", "description", "runbook_url", "dashboard_url"):
            assert rule["annotations"][annotation], (rule["alert"], annotation)
        assert "$value" not in str(rule["labels"]), rule["alert"]
        assert ("keep_firing_for" in rule) == (rule["labels"]["severity"] == "critical"), rule["alert"]


def test_the_runbook_has_a_section_for_every_alert_and_none_for_another() -> None:
    sections = [line[3:] for line in everything(Config())["runbook.md"].splitlines() if line.startswith("## ")]
    assert sorted(sections) == NAMES
    assert {rule["alert"] for rule in RULES} == set(NAMES)


def test_every_link_to_the_runbook_leads_to_its_section() -> None:
    panels = {str(panel["id"]): panel["title"] for panel in boards(Config())["runbook.json"]["panels"]}
    for rule in RULES:
        assert panels[rule["annotations"]["runbook_url"].partition("viewPanel=")[2]] == rule["alert"]
