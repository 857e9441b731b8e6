"""Alertmanager's configuration is valid, and sends each alert where it belongs, in words that say what matters."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import httpx
import pytest

from stethoscope import cli
from stethoscope.signals.alerts import objects, rules
from stethoscope.signals.config import Config
from stethoscope.signals.database import POOL
from tests.grafana.programs import alertmanager, wait_for

MOUNT = "system_filesystem_mountpoint"

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


OBJECTS: Sequence[tuple[str, Mapping[str, str], Mapping[str, str]]] = (
    ("ASGIHighErrorRate", {}, {"job": "till"}),
    ("ASGIErrorBudgetBurn", {"slo": "availability"}, {"slo": "latency"}),
    ("ASGIHighCPU", {"instance": "a"}, {"instance": "b"}),
    ("ASGIDBPoolSaturated", {"instance": "a", POOL: "main"}, {POOL: "reports"}),
    ("ASGIDiskFull", {"instance": "a", MOUNT: "/data"}, {MOUNT: "/"}),
    ("ASGIRouteLatency", {"http_route": "/", "http_request_method": "GET"}, {"http_request_method": "POST"}),
    ("ASGIUnhandledExceptions", {"error_type": "KeyError"}, {"error_type": "ValueError"}),
)
"""Alerts, the labels of an object of each, and what is different about another object."""


@pytest.fixture(scope="module")
def inhibited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Mapping[str, str]], bool]]:
    """Whether a real Alertmanager mutes the warning with these labels, while all first objects are critical."""
    folder = tmp_path_factory.mktemp("alertmanager")
    with alertmanager(folder, written(folder)) as url:
        alerts = [
            {"labels": {"job": "shop", "alertname": name, "severity": severity, **labels, **difference}}
            for name, labels, other in OBJECTS
            for severity, difference in (("critical", {}), ("warning", {}), ("warning", other))
        ]
        httpx.post(f"{url}/api/v2/alerts", json=alerts).raise_for_status()

        def settled() -> list[dict[str, Any]] | None:
            found: list[dict[str, Any]] = httpx.get(f"{url}/api/v2/alerts").json()
            muted = [one for one in found if one["status"]["inhibitedBy"]]
            return found if len(found) == len(alerts) and len(muted) >= len(OBJECTS) else None

        found = wait_for("one warning of each alert to be muted", settled)
        yield lambda labels: next(bool(one["status"]["inhibitedBy"]) for one in found if one["labels"] == labels)


@pytest.mark.parametrize(("name", "labels", "other"), OBJECTS, ids=[name for name, *_ in OBJECTS])
def test_what_is_critical_mutes_the_warning_of_the_same_object_and_of_no_other(
    name: str, labels: Mapping[str, str], other: Mapping[str, str], inhibited: Callable[[Mapping[str, str]], bool]
) -> None:
    warning = {"job": "shop", "alertname": name, "severity": "warning", **labels}
    assert inhibited(warning)
    assert not inhibited({**warning, **other})


@pytest.mark.parametrize(
    "rule", [rule for rule in rules(Config()) if rule["labels"]["severity"] == "critical"], ids=itemgetter("alert")
)
def test_labels_that_an_alert_keeps_are_among_those_that_have_to_be_equal(rule: Mapping[str, Any]) -> None:
    """Or one of its objects would mute another."""
    kept = {label for labels in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in labels.split(", ")}
    assert kept - {"le", "pid", *objects(Config())} == set()


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
