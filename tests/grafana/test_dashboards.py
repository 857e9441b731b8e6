"""Dashboards: known to Grafana key by key, free of the field's usual mistakes, and in step with the alerts."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import _jsonnet  # type: ignore[import-untyped]
import pytest

from stethoscope.signals.board import every_panel
from stethoscope.signals.config import Config
from stethoscope.signals.files import boards, everything
from stethoscope.thresholds import Thresholds
from tests.grafana.expressions import OF_PROMETHEUS, OURS, RECORDED, metrics, queries
from tests.grafana.lint import mistakes, of_expression
from tests.grafana.model import unknown_keys
from tests.grafana.promtool import RULES

FILES = everything(Config())
DASHBOARDS = boards(Config())
UIDS = {board["uid"] for board in DASHBOARDS.values()}
EVERY_JSON = sorted(name for name in FILES if name.endswith(".json"))


@pytest.mark.parametrize("name", EVERY_JSON)
def test_grafanas_model_knows_every_key(name: str) -> None:
    content = json.loads(FILES[name])
    # What the import page reads is no part of the model.
    own = {key for key in content if key.startswith("__")}
    assert own == ({"__inputs", "__elements", "__requires"} if "grafana.com" in name else set())
    assert unknown_keys({key: value for key, value in content.items() if key not in own}) == []


@pytest.mark.parametrize(
    "path", [("panels", 1, "fieldConfig"), ("panels", 1, "options"), ("panels", 1, "targets", 0), ()]
)
def test_a_misspelt_key_would_be_found(path: tuple[str | int, ...]) -> None:
    dashboard = json.loads(FILES["dashboards/overview.json"])
    place = dashboard
    for step in path:
        place = place[step]
    place["mispelt"] = 1
    assert unknown_keys(dashboard) == ["".join(f"/{step}" for step in (*path, "mispelt"))]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_linter_finds_nothing(name: str) -> None:
    assert mistakes(DASHBOARDS[name], UIDS) == []


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("http_server_request_duration_seconds_count", "is a counter that is read as it is"),
        ('sum(rate(no_such_metric{job=~"$job"}[$__rate_interval]))', "unknown metric no_such_metric"),
        ('rate(http_server_request_duration_seconds_count{job=~"$job"}[5m])', "range 5m"),
        ('stethoscope_workers{job=~"$job"}', "stethoscope_workers without instance"),
    ],
)
def test_the_linter_would_find_a_mistake(expression: str, said: str) -> None:
    assert said in "\n".join(of_expression(expression, "$__rate_interval"))


def test_the_linter_would_find_mistakes_of_a_dashboard() -> None:
    dashboard = copy.deepcopy(DASHBOARDS["overview.json"])
    dashboard["editable"] = True
    panel = next(panel for panel in dashboard["panels"] if panel["type"] == "stat")
    panel.update(title="", datasource={"uid": "prometheus"})
    panel["fieldConfig"]["defaults"].update(unit="percent", thresholds={"steps": [{"value": 80}]})
    panel["gridPos"]["x"] += 1
    panel["links"] = [{"url": "/d/nowhere"}]
    found = "\n".join(mistakes(dashboard, UIDS))
    for said in (
        "can be edited",
        "no title",
        "a fixed data source",
        "units",
        "default threshold",
        "overlap",
        "link to nowhere",
    ):
        assert said in found


def test_dashboards_have_one_uid_each_and_are_a_family() -> None:
    assert len(UIDS) == len(DASHBOARDS)
    for board in DASHBOARDS.values():
        assert "stethoscope" in board["tags"]
        assert board["links"][0]["tags"] == ["stethoscope"]


def test_every_metric_that_an_alert_reads_is_on_a_dashboard() -> None:
    shown = set().union(*(metrics(query.expression) for query in queries()))
    watched = set().union(*(metrics(rule["expr"]) for rule in RULES)) & OURS
    assert watched - shown == set()


def test_every_metric_that_a_rule_names_is_one_of_ours() -> None:
    named = set().union(*(metrics(rule["expr"]) for rule in RULES))
    assert named - OURS - RECORDED - OF_PROMETHEUS == set()


def test_every_dashboard_that_an_alert_links_to_is_there_with_the_variables_that_the_link_sets() -> None:
    for rule in RULES:
        uid, _, query = rule["annotations"]["dashboard_url"].rpartition("/d/")[2].partition("?")
        [board] = [board for board in DASHBOARDS.values() if board["uid"] == uid]
        variables = {variable["name"] for variable in board["templating"]["list"]}
        assert set(re.findall(r"var-([\w]+)=", query)) <= variables, rule["alert"]


def test_thresholds_of_panels_are_those_of_the_alerts() -> None:
    changed = Config(thresholds=Thresholds.resolve({"error_ratio": (0.02, 0.2)}))
    panel = next(
        panel
        for panel in every_panel(boards(changed)["overview.json"])
        if (panel["type"], panel["title"]) == ("stat", "Errors")
    )
    steps = [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
    assert steps == [None, 0.02, 0.2]
    alerts = everything(changed)["rules/alerts.yaml"]
    assert "> 0.02\n" in alerts
    assert "> 0.2\n" in alerts


def test_the_form_for_import_asks_for_the_data_source() -> None:
    for name in DASHBOARDS:
        content = json.loads(FILES[f"dashboards/grafana.com/{name}"])
        assert content["__inputs"][0]["name"] == "DS_PROMETHEUS"
        assert "${datasource" not in FILES[f"dashboards/grafana.com/{name}"]
        needed = {panel["type"] for panel in every_panel(content)} - {"row"}
        assert needed == {one["id"] for one in content["__requires"] if one["type"] == "panel"}


def test_jsonnet_makes_the_mixin() -> None:
    snippet = "local mixin = import 'mixin.libsonnet'; [mixin[name] for name in std.objectFieldsAll(mixin)]"
    names, made = "std.objectFieldsAll(import 'mixin.libsonnet')", _evaluate(snippet)
    made = dict(zip(_evaluate(names), made, strict=True))
    assert made["grafanaDashboards"] == DASHBOARDS
    alerts = [rule["alert"] for group in made["prometheusAlerts"]["groups"] for rule in group["rules"]]
    assert alerts == [rule["alert"] for rule in RULES]
    assert made["prometheusRules"]["groups"]


def _evaluate(snippet: str) -> Any:
    return json.loads(_jsonnet.evaluate_snippet("", snippet, import_callback=_import))


def _import(_folder: str, name: str) -> tuple[str, bytes]:
    return name, FILES[name].encode()
