"""Alertmanager's configuration: who is told of what, what mutes what, and in what words. For 0.25 and newer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from stethoscope.signals.alerts import objects
from stethoscope.signals.config import Config, ConfigError
from stethoscope.signals.own_alerts import INFO_INHIBITOR, WATCHDOG

TEMPLATES: Final = "templates/stethoscope.tmpl"


@dataclass(frozen=True, slots=True)
class Receivers:
    """Where notices go. Raises `ConfigError`.

    ``page`` wakes somebody, ``chat`` is read at work, ``deadman`` waits for the watchdog: addresses of webhooks.
    ``slack_url_file`` is a file with the address of Slack's webhook, for ``slack_channel``. ``email`` is
    written to from ``email_from`` through ``smtp``, a host with its port.
    """

    page: str = "http://localhost:9095/page"
    chat: str = "http://localhost:9095/chat"
    deadman: str = "http://localhost:9095/deadman"
    slack_url_file: str | None = None
    slack_channel: str = "#alerts"
    email: str | None = None
    email_from: str = "alerts@localhost"
    smtp: str = "localhost:25"

    def __post_init__(self) -> None:
        urls = (("page", self.page), ("chat", self.chat), ("deadman", self.deadman))
        wrong = [
            f"{name} webhook {url!r} is not valid: expected an address that begins with http:// or https://"
            for name, url in urls
            if not re.fullmatch(r"https?://[^\s\"'<>{}\\]+", url)
        ]
        if self.slack_url_file == "":
            wrong.append("Slack's file '' is not valid: expected the path of a file")
        for name, address in (("email", self.email), ("sender", self.email_from)):
            if address is not None and "@" not in address:
                wrong.append(f"{name} {address!r} is not valid: expected an address with an @")
        if not re.fullmatch(r"[^\s:]+:\d+", self.smtp):
            wrong.append(f"smtp {self.smtp!r} is not valid: expected HOST:PORT")
        if wrong:
            raise ConfigError("; ".join(wrong))


DEFAULT_RECEIVERS: Final = Receivers()


def configuration(config: Config, receivers: Receivers) -> dict[str, object]:
    return {
        "global": {"resolve_timeout": "5m", **_servers(receivers)},
        "templates": [TEMPLATES],
        "route": _route(config),
        "inhibit_rules": [*_inhibitions(config)],
        "receivers": [*_receivers(receivers)],
        "time_intervals": [{"name": "out-of-hours", "time_intervals": _OUT_OF_HOURS}],
    }


_OUT_OF_HOURS: Final = [
    {"weekdays": ["monday:friday"], "times": [{"start_time": "00:00", "end_time": "08:00"}]},
    {"weekdays": ["monday:friday"], "times": [{"start_time": "18:00", "end_time": "24:00"}]},
    {"weekdays": ["saturday", "sunday"]},
]


def _servers(receivers: Receivers) -> dict[str, object]:
    slack = {"slack_api_url_file": receivers.slack_url_file} if receivers.slack_url_file else {}
    mail = {"smtp_smarthost": receivers.smtp, "smtp_from": receivers.email_from} if receivers.email else {}
    return {**slack, **mail}


def _route(config: Config) -> dict[str, object]:
    return {
        "receiver": "chat",
        "group_by": ["alertname", *config.service_labels],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "12h",
        "routes": [
            {
                "matchers": [f'alertname="{WATCHDOG}"'],
                "receiver": "deadman",
                "group_wait": "0s",
                "group_interval": "1m",
                "repeat_interval": "1m",
            },
            {"matchers": [f'alertname="{INFO_INHIBITOR}"'], "receiver": "nobody"},
            {
                "matchers": ['severity="critical"'],
                "receiver": "page",
                "group_wait": "10s",
                "repeat_interval": "4h",
                "continue": True,
            },
            {"matchers": ['severity=~"critical|warning"'], "receiver": "chat"},
            {"matchers": ['severity="info"'], "receiver": "chat", "mute_time_intervals": ["out-of-hours"]},
        ],
    }


def _inhibitions(config: Config) -> Iterator[dict[str, object]]:
    service = [*config.service_labels]
    # What is critical need not be told as a warning too: of the same host, pool or objective, not of another.
    # A label that neither alert has counts as equal.
    yield _mutes('severity="critical"', 'severity=~"warning|info"', ["alertname", *objects(config)])
    # Of what is gone, or does not answer, nothing else is known.
    yield _mutes('alertname="ASGIAbsent"', 'alertname=~"ASGI.+", alertname!="ASGIAbsent"', service)
    yield _mutes(
        'alertname="ASGITargetDown"',
        'alertname=~"ASGI.+", alertname!="ASGITargetDown"',
        [*service, config.instance_label],
    )
    yield _mutes('alertname="ASGITargetDown"', 'alertname="ASGITrafficDropped"', service)
    yield _mutes(f'alertname="{INFO_INHIBITOR}"', 'severity="info"', service)


def _mutes(source: str, target: str, equal: list[str]) -> dict[str, object]:
    return {"source_matchers": source.split(", "), "target_matchers": target.split(", "), "equal": equal}


def _receivers(receivers: Receivers) -> Iterator[dict[str, object]]:
    yield {"name": "nobody"}
    yield {"name": "deadman", "webhook_configs": [{"url": receivers.deadman, "send_resolved": False}]}
    yield {"name": "page", "webhook_configs": [{"url": receivers.page}], **_mail(receivers)}
    yield {"name": "chat", "webhook_configs": [{"url": receivers.chat}], **_slack(receivers)}


def _slack(receivers: Receivers) -> dict[str, object]:
    if not receivers.slack_url_file:
        return {}
    return {
        "slack_configs": [
            {
                "channel": receivers.slack_channel,
                "send_resolved": True,
                "title": '{{ template "stethoscope.title" . }}',
                "title_link": "{{ (index .Alerts 0).Annotations.dashboard_url }}",
                "text": '{{ template "stethoscope.slack" . }}',
                "color": '{{ template "stethoscope.colour" . }}',
            }
        ]
    }


def _mail(receivers: Receivers) -> dict[str, object]:
    if not receivers.email:
        return {}
    return {
        "email_configs": [
            {
                "to": receivers.email,
                "send_resolved": True,
                "headers": {"subject": '{{ template "stethoscope.title" . }}'},
                "html": '{{ template "stethoscope.html" . }}',
            }
        ]
    }


def templates(config: Config) -> str:
    """What Slack and e-mail say. A webhook carries the same annotations as JSON."""
    return _TEMPLATES.replace("SERVICE", config.job_label)


_TEMPLATES: Final = """\
{{- /* Written by `stethoscope alertmanager`. Both have the figures, the runbook and the dashboard of each alert. */ -}}

{{ define "stethoscope.title" -}}
[{{ if eq .Status "firing" }}{{ .Alerts.Firing | len }} firing{{ else }}resolved{{ end }}] {{ .GroupLabels.alertname }} {{ .GroupLabels.SERVICE }}
{{- end }}

{{ define "stethoscope.colour" -}}
{{ if eq .Status "resolved" }}good{{ else if eq .CommonLabels.severity "critical" }}danger{{ else }}warning{{ end }}
{{- end }}

{{ define "stethoscope.slack" -}}
{{ range .Alerts -}}
*{{ .Labels.severity }}{{ if eq .Status "resolved" }}, resolved{{ end }}*: {{ .Annotations.summary }}
{{ .Annotations.description }}
<{{ .Annotations.dashboard_url }}|Dashboard> · <{{ .Annotations.runbook_url }}|Runbook> · <{{ .GeneratorURL }}|Expression>
{{ end -}}
{{- end }}

{{ define "stethoscope.html" -}}
<!doctype html>
<html><body style="font-family: sans-serif">
<h2>{{ template "stethoscope.title" . }}</h2>
{{ range .Alerts -}}
<p><b>{{ .Labels.severity }}{{ if eq .Status "resolved" }}, resolved{{ end }}</b>: {{ .Annotations.summary }}<br>
{{ .Annotations.description }}<br>
Since {{ .StartsAt.Format "2006-01-02 15:04:05 MST" }}{{ if eq .Status "resolved" }} until {{ .EndsAt.Format "15:04:05" }}{{ end }}<br>
<a href="{{ .Annotations.dashboard_url }}">Dashboard</a> · <a href="{{ .Annotations.runbook_url }}">Runbook</a></p>
{{ end -}}
</body></html>
{{- end }}
"""
