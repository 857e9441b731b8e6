"""Each alert fires when it should, says what it should, and is silent just below and just before."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stethoscope.signals.alerts import ALERTS
from stethoscope.signals.alerts import rules as alerting_rules
from stethoscope.signals.config import Config
from stethoscope.signals.files import boards, everything, rules
from tests.grafana.case import CRITICAL, INFO, NONE, WARNING, Case, Series, levels
from tests.grafana.cases import CASES
from tests.grafana.http_cases import durations, requests
from tests.grafana.promtool import RULES, named, wrong

NAMES = sorted({alert.name for alert in ALERTS})


@pytest.mark.parametrize("alert", NAMES)
def test_it_fires_and_is_silent_when_it_should(alert: str, tmp_path: Path) -> None:
    assert wrong(tmp_path, [case for case in CASES if case.alert == alert], named(alert)) == ""


_LASTING = {
    "ASGIHighLatency": (durations([[(60, 0)]] * 4, 10, "/events"), WARNING),
    "ASGIRouteLatency": (durations([[(60, 0)]] * 4, 10, "/events"), INFO),
    "ASGIClientDisconnects": (requests((60, 10), error="client_disconnect", route="/events"), WARNING),
}
"""Streams alone, of which each takes long and ends when its client leaves, and what fires if nobody has said so."""


@pytest.mark.parametrize("alert", _LASTING)
def test_a_route_that_lasts_by_design_wakes_nobody(alert: str, tmp_path: Path) -> None:
    series, fires = _LASTING[alert]
    others = {**durations([[(60, 1)]] * 4, 10, "/quick"), **requests((60, 10), route="/quick/too")}
    said = [rule for rule in alerting_rules(Config(lasting_routes=("/events",))) if rule["alert"] == alert]
    assert wrong(tmp_path, [Case(alert, "they are named", {**others, **series}, {50: NONE})], said) == ""
    assert wrong(tmp_path, [Case(alert, "they are not", {**others, **series}, {50: fires})], named(alert)) == ""
    assert wrong(tmp_path, [Case(alert, "others are like that", _renamed(series), {50: fires})], said) == ""


def _renamed(series: Series) -> dict[str, str]:
    return {one.replace("/events", "/orders"): values for one, values in series.items()}


def _page(*pieces: tuple[int, float], host: str = "a", workers: int = 90) -> dict[str, str]:
    """A common page of two services: whether it can be scraped, and how many series it has."""
    target = f'job="stethoscope", instance="{host}"'
    return {
        f"up{{{target}}}": levels(*pieces),
        f"scrape_samples_post_metric_relabeling{{{target}}}": levels((30, 900), (60, 21000)),
        **{
            f'stethoscope_workers{{{target}, service_name="{service}"}}': levels((workers, 2))
            for service in ("shop", "till")
        },
    }


_ALIVE = {'up{job="stethoscope", instance="b"}': levels((90, 1)), 'up{job="other", instance="z"}': levels((90, 0))}
_OF_BOTH = (
    ("ASGITargetDown", {**_ALIVE, **_page((30, 1), (60, 0), workers=30)}, {31: NONE, 32: CRITICAL, 89: CRITICAL}),
    ("ASGITargetDown", {**_ALIVE, **_page((90, 1))}, {60: NONE}),
    ("ASGIAbsent", {**_ALIVE, **_page((30, 1), workers=30)}, {37: NONE, 40: CRITICAL, 60: CRITICAL}),
    ("ASGIAbsent", {**_ALIVE, **_page((90, 1))}, {60: NONE}),
    ("ASGIAbsent", {**_ALIVE, **_page((30, 1), (60, 0), workers=30)}, {60: NONE}),
    ("ASGICardinalityHigh", {**_ALIVE, **_page((90, 1))}, {44: NONE, 45: WARNING}),
)


@pytest.mark.parametrize(
    "config",
    [Config(job_label="service_name"), Config("shop", "service_name"), Config(group_labels=("service_name",))],
    ids=["all services", "one service", "a further label"],
)
def test_services_of_one_page_are_told_what_is_known_of_its_target(config: Config, tmp_path: Path) -> None:
    for alert, series, fires in _OF_BOTH:
        said = [rule for rule in alerting_rules(config) if rule["alert"] == alert]
        other = dict.fromkeys(fires, NONE) if config.service else fires
        cases = [
            Case(alert, "shop", series, fires, labels={"service_name": "shop"}),
            Case(alert, "till", series, other, labels={"service_name": "till"}),
        ]
        assert wrong(tmp_path, cases, said) == ""


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
