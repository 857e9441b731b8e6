"""Alertmanager's configuration is valid, and sends each alert where it belongs, in words that say what matters."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from stethoscope import cli
from stethoscope.signals.alerts import rules
from stethoscope.signals.config import Config

CHOICES = ["--slack-url-file", "/run/secrets/slack", "--email", "ops@example.org", "--smtp", "mail:25"]


def written(folder: Path, *arguments: str) -> Path:
    assert cli.main(["alertmanager", "--out", str(folder), *arguments]) == 0
    return folder / "alertmanager/alertmanager.yaml"


def amtool(*arguments: str) -> str:
    ended = subprocess.run(["amtool", *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.parametrize("choices", [[], CHOICES], ids=["webhooks", "slack and e-mail"])
def test_it_is_valid(choices: list[str], tmp_path: Path) -> None:
    said = amtool("check-config", str(written(tmp_path, *choices)))
    assert "5 inhibit rules" in said
    assert "1 templates" in said


def test_channel_sender_and_server_are_those_that_are_chosen(tmp_path: Path) -> None:
    text = written(tmp_path, *CHOICES, "--slack-channel", "#night", "--email-from", "shop@example.org").read_text()
    for part in ("#night", "shop@example.org", "mail:25", "ops@example.org"):
        assert part in text


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        (["alertname=ASGIHighErrorRate", "severity=critical"], "page,chat"),
        (["alertname=ASGIHighLatency", "severity=warning"], "chat"),
        (["alertname=ASGIRouteLatency", "severity=info"], "chat"),
        (["alertname=Watchdog", "severity=none"], "deadman"),
        (["alertname=InfoInhibitor", "severity=none"], "nobody"),
        (["alertname=SomebodyElses"], "chat"),
    ],
)
def test_routes(labels: list[str], receivers: str, tmp_path: Path) -> None:
    config = written(tmp_path)
    amtool("config", "routes", "test", f"--config.file={config}", f"--verify.receivers={receivers}", *labels)


def test_every_severity_has_a_route_of_its_own() -> None:
    assert {rule["labels"]["severity"] for rule in rules(Config())} == {"critical", "warning", "info", "none"}


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_slack_and_email_carry_figures_runbook_and_dashboard(status: str, tmp_path: Path) -> None:
    config = written(tmp_path, "--job-label", "app")
    alert = {
        "status": status,
        "labels": {"severity": "critical"},
        "annotations": {
            "summary": "5.2% of requests to shop fail",
            "description": "Too many",
            "runbook_url": "http://grafana/runbook",
            "dashboard_url": "http://grafana/overview",
        },
        "startsAt": "2026-11-25T10:00:00Z",
        "endsAt": "2026-11-25T11:00:00Z",
        "generatorURL": "http://prometheus/graph",
    }
    data = {
        "status": status,
        "groupLabels": {"alertname": "ASGIHighErrorRate", "app": "shop"},
        "commonLabels": {"severity": "critical"},
        "alerts": [alert],
    }
    (tmp_path / "data.json").write_text(json.dumps(data))

    def render(template: str) -> str:
        glob, text = config.parent / "templates/*.tmpl", f'{{{{ template "stethoscope.{template}" . }}}}'
        return amtool(
            *("template", "render", f"--template.glob={glob}", f"--template.text={text}"),
            f"--template.data={tmp_path / 'data.json'}",
        )

    assert render("title") == f"[{'1 firing' if status == 'firing' else 'resolved'}] ASGIHighErrorRate shop"
    assert render("colour") == {"firing": "danger", "resolved": "good"}[status]
    for template in ("slack", "html"):
        text = render(template)
        for part in ("5.2% of requests to shop fail", "http://grafana/runbook", "http://grafana/overview"):
            assert part in text, template
        assert ("resolved" in text) == (status == "resolved")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--page-webhook", "pager"], "page webhook 'pager' is not valid: expected an address"),
        (["--email", "ops"], "email 'ops' is not valid: expected an address with an @"),
        (["--email", "ops@example.org", "--smtp", "mail"], "smtp 'mail' is not valid: expected HOST:PORT"),
        (["--smtp", "mail:25"], "--smtp does nothing without --email: expected --email ADDRESS too"),
        (["--email-from", "ops@x"], "--email-from does nothing without --email: expected --email ADDRESS too"),
        (["--email-from", "ops", "--email", "ops@x"], "sender 'ops' is not valid: expected an address with an @"),
        (["--slack-url-file", ""], "Slack's file '' is not valid: expected the path of a file"),
        (["--slack-channel", "#x"], "--slack-channel does nothing without --slack-url-file: expected "),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["alertmanager", "--out", str(tmp_path / "out"), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
