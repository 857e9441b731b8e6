"""What is committed under ``grafana/`` is what the commands write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stethoscope import cli
from stethoscope.signals.config import Config
from stethoscope.signals.database import POOL
from stethoscope.signals.files import KINDS, everything
from tests.docs.pages import ROOT

COMMITTED = ROOT / "grafana"
SLO = ["--slo", "latency=99:0.3"]


def test_the_committed_files_are_what_the_defaults_give() -> None:
    """`make grafana` writes them anew."""
    found = {
        path.relative_to(COMMITTED).as_posix(): path.read_text()
        for path in COMMITTED.rglob("*")
        if path.is_file() and path.name != "README.md"
    }
    assert found == dict(everything(Config()))


@pytest.mark.parametrize("command", KINDS)
def test_each_command_writes_its_files_and_says_which(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, "--out", str(tmp_path)]) == 0
    files = KINDS[command](Config())
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / name) for name in files]
    assert {name: (tmp_path / name).read_text() for name in files} == dict(files)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--slo", "availability=100"],
            "an objective of 100 % is not valid: expected at least 50 % and less than 100 %",
        ),
        (SLO, "slo latency: 0.3 s is not a bucket bound: expected one of 0.005, "),
        (["--slo", "fast"], "slo 'fast' is not valid: expected NAME=PERCENT or NAME=PERCENT:SECONDS"),
        (["--slo", "Fast=99"], "slo 'Fast' is not valid: expected a name of small letters"),
        (["--slo", 'a=99{rout="x"}'], "requests have no label 'rout': expected one of http_request_method, "),
        (["--slo", "a=99{x}"], "expected matchers such as http_route"),
        (["--slo", "a=99", "--slo", "a=98"], "slo 'a' is not valid: expected each name once"),
        (["--threshold", "cpu=0.5"], "unknown threshold 'cpu': expected one of request_p95, "),
        (["--threshold", "cpu_use=80"], "cpu_use='80' is not valid: expected shares from 0 to 1"),
        (["--job-label", "my job"], "job_label='my job' is not valid: expected a label of Prometheus' targets"),
        (["--job-label", "http_route"], "job_label='http_route' is not valid"),
        (["--group-label", "job"], "labels job, job, instance are not valid: expected each label once"),
        (["--service", 'a"b'], "service='a\"b' is not valid"),
        (["--slo-days", "0"], "slo_days=0 is not valid: expected 1 to 90"),
        (["--scrape-seconds", "0"], "scrape_seconds=0 is not valid: expected 1 to 120"),
        (["--grafana-url", "grafana"], "grafana_url='grafana' is not valid: expected an address"),
        *(
            (["--grafana-url", url], f"grafana_url='{url}' is not valid: expected an address without ? and #")
            for url in ("http://g/?orgId=1", "http://g/#top")
        ),
        (
            ["--runbook-url", "http://g/page#top"],
            "runbook_url='http://g/page#top' is not valid: expected an address without #",
        ),
        (["--runbook-url", "x"], "runbook_url='x' is not valid"),
        (["--pool", "reports"], "pool 'reports' is not valid: expected NAME=SHARE"),
        (["--pool", "reports=2"], "pool reports=2 is not valid"),
        (["--lasting-route", 'a"b'], "lasting route 'a\"b' is not valid: expected the template of a route"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert cli.main(["rules", "--out", str(out), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stethoscope", "rules", "--out", str(tmp_path / "out"), "--servce", "shop"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "--servce" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert cli.main(["rules", "--out", str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def assert_promtool_is_content(folder: Path) -> None:
    command = ["promtool", "check", "rules", "--lint=all", "--lint-fatal", *map(str, folder.glob("rules/*.yaml"))]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_choices_reach_the_rules(tmp_path: Path) -> None:
    chosen = [
        *("--service", "shop", "--job-label", "app", "--group-label", "cluster"),
        *("--threshold", "error_ratio=0.02:0.1", "--slo", 'quick=95:0.25{http_route!="/report"}'),
    ]
    assert cli.main(["rules", "--out", str(tmp_path), *chosen]) == 0
    alerts = (tmp_path / "rules/alerts.yaml").read_text()
    assert 'app="shop"' in alerts
    assert "sum by (cluster, app)" in alerts
    assert "{{ $labels.app }}" in alerts
    assert "> 0.02" in alerts
    [bad] = [
        rule["expr"]
        for group in yaml.safe_load((tmp_path / "rules/recording.yaml").read_text())["groups"]
        for rule in group["rules"]
        if rule["record"] == "slo:bad:rate5m"
    ]
    assert 'http_route!="/report"' in bad
    assert 'le="0.25"' in bad
    assert_promtool_is_content(tmp_path)


def test_a_threshold_from_the_environment_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STETHOSCOPE_THRESHOLDS", "error_ratio=0.03:0.2")
    assert cli.main(["rules", "--out", str(tmp_path)]) == 0
    assert "> 0.03" in (tmp_path / "rules/alerts.yaml").read_text()


def test_a_threshold_that_is_given_comes_on_top_of_those_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STETHOSCOPE_THRESHOLDS", "pool_use=0.5:0.6,error_ratio=0.03:0.2")
    assert cli.main(["rules", "--out", str(tmp_path), "--threshold", "error_ratio=0.04"]) == 0
    rules = yaml.safe_load((tmp_path / "rules/alerts.yaml").read_text())["groups"][0]["rules"]

    def limits(alert: str) -> list[str]:
        return [rule["expr"].partition("\n")[0].rpartition("> ")[2] for rule in rules if rule["alert"] == alert]

    assert limits("ASGIDBPoolSaturated") == ["0.5", "0.6"]
    assert limits("ASGIHighErrorRate") == ["0.04", "0.2"]


@pytest.mark.parametrize("given", ["0.3", "none"])
@pytest.mark.parametrize("command", ["dashboards", "rules"])
def test_a_threshold_at_which_nothing_is_counted_is_named(
    command: str, given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The app can tell one slow query from another at any time; Prometheus has the buckets."""
    monkeypatch.setenv("STETHOSCOPE_THRESHOLDS", f"slow_query={given}")
    assert cli.main([command, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert f"threshold slow_query={given}, from --threshold or STETHOSCOPE_THRESHOLDS, is not a bucket bound of" in said
    assert "expected one of 0.001, " in said
    assert cli.main([command, "--out", str(tmp_path / "out"), "--threshold", "slow_query=0.1"]) == 0


def test_a_pool_with_a_limit_of_its_own_is_left_out_of_the_rule_for_all(tmp_path: Path) -> None:
    assert cli.main(["rules", "--out", str(tmp_path), "--pool", "reports=0.95", "--pool", "jobs(2)=1"]) == 0
    groups = yaml.safe_load((tmp_path / "rules/alerts.yaml").read_text())["groups"]
    rules = [rule["expr"] for rule in groups[0]["rules"] if rule["alert"] == "ASGIDBPoolSaturated"]
    assert [rule.rpartition("> ")[2] for rule in rules] == ["0.75", "0.9", "0.95"]
    own, others = f'{POOL}="reports"', f'{POOL}!="reports", {POOL}!="jobs(2)"'
    assert [own in rule for rule in rules] == [False, False, True]
    assert [others in rule for rule in rules] == [True, True, False]
    assert_promtool_is_content(tmp_path)


def test_requests_that_last_by_design_count_in_no_objective_on_latency(tmp_path: Path) -> None:
    arguments = ["--lasting-route", "/events", "--lasting-route", "/chat/{id}"]
    assert cli.main(["rules", "--out", str(tmp_path), *arguments]) == 0
    groups = yaml.safe_load((tmp_path / "rules/recording.yaml").read_text())["groups"]
    objectives = [
        rule for group in groups for rule in group["rules"] if rule["record"] in ("slo:bad:rate5m", "slo:total:rate5m")
    ]
    assert len(objectives) == 4
    for rule in objectives:
        left_out = 'http_route!="/events", http_route!="/chat/{id}"' in rule["expr"]
        assert left_out == (rule["labels"]["slo"] == "latency"), rule
