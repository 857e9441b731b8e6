"""Arguments of the commands that write dashboards and rules, as a `Config`; and the writing itself."""

from __future__ import annotations

from argparse import Action, ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from stethoscope.command import CommandError
from stethoscope.settings import Settings
from stethoscope.signals.config import DEFAULT, Config, ConfigError
from stethoscope.signals.files import Files
from stethoscope.signals.promql import UnknownLabel
from stethoscope.signals.slo import SloError
from stethoscope.signals.slo import parse as parse_slo
from stethoscope.thresholds import ThresholdError, Thresholds
from stethoscope.thresholds import parse as parse_thresholds


def add(parser: ArgumentParser) -> None:
    """The arguments that all these commands have."""
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write to; made if missing")
    _add_labels(parser.add_argument_group("how Prometheus scrapes").add_argument)
    _add_limits(parser.add_argument_group("thresholds and objectives").add_argument)
    add_link = parser.add_argument_group("links in alerts").add_argument
    add_link("--grafana-url", metavar="URL", default=DEFAULT.grafana_url, help=f"default: {DEFAULT.grafana_url}")
    add_link("--runbook-url", metavar="URL", help="page with the runbook (default: the runbook's dashboard)")


def _add_labels(add: Callable[..., Action]) -> None:
    add("--service", metavar="NAME", help="value of the job label to write rules for (default: all)")
    add("--job-label", metavar="LABEL", default=DEFAULT.job_label, help="label that names a service (default: job)")
    add(
        "--instance-label",
        metavar="LABEL",
        default=DEFAULT.instance_label,
        help="label that names a host of it (default: instance)",
    )
    add(
        "--group-label",
        metavar="LABEL",
        action="append",
        default=[],
        help="further label whose values are kept apart, such as cluster; may be repeated",
    )
    add(
        "--scrape-seconds",
        metavar="N",
        type=int,
        default=DEFAULT.scrape_seconds,
        help="seconds between scrapes (default: 15)",
    )


def _add_limits(add: Callable[..., Action]) -> None:
    add(
        "--threshold",
        metavar="NAME=WARN:CRITICAL",
        action="append",
        default=[],
        help="a threshold other than the default, such as error_ratio=0.02:0.1; may be repeated",
    )
    add(
        "--slo",
        metavar="NAME=PERCENT[:SECONDS]",
        action="append",
        default=[],
        help="an objective, such as availability=99.9, or latency=95:0.25 for 95 %% of requests within 0.25 s; "
        'matchers in braces limit what counts: latency=95:0.25{http_route!="/report"}; may be repeated',
    )
    add("--slo-days", metavar="DAYS", type=int, default=DEFAULT.slo_days, help="period of objectives (default: 30)")
    add(
        "--lasting-route",
        metavar="ROUTE",
        action="append",
        default=[],
        help="route whose requests take long by design, such as /events: no alert and no objective looks at how long "
        "they take or who leaves before they end; may be repeated",
    )
    add(
        "--pool",
        metavar="NAME=SHARE",
        action="append",
        default=[],
        help="share of this pool's connections that may be in use, if it differs from the others; 1 for no alert; may be repeated",
    )


def config(arguments: Namespace) -> Config:
    """Raises `CommandError`, or `SettingsError` for what the environment has."""
    try:
        return Config(
            service=arguments.service,
            job_label=arguments.job_label,
            instance_label=arguments.instance_label,
            group_labels=tuple(arguments.group_label),
            thresholds=_thresholds(arguments.threshold),
            slos=tuple(parse_slo(text) for text in arguments.slo) or DEFAULT.slos,
            slo_days=arguments.slo_days,
            scrape_seconds=arguments.scrape_seconds,
            grafana_url=arguments.grafana_url.rstrip("/"),
            runbook_url=arguments.runbook_url,
            pools=tuple(_pool(text) for text in arguments.pool),
            lasting_routes=tuple(arguments.lasting_route),
        )
    except (ConfigError, SloError, ThresholdError) as error:
        raise CommandError(str(error)) from None


def write(make: Callable[[Config], Files], arguments: Namespace) -> int:
    """Write all files, or none when any of them cannot be made; print their paths."""
    try:
        files = make(config(arguments))
    except (UnknownLabel, ValueError) as error:
        raise CommandError(str(error)) from None
    for name, text in files.items():
        path = arguments.out / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}; expected a folder for --out") from None
        print(path)
    return 0


def _thresholds(texts: list[str]) -> Thresholds:
    return Settings.resolve().thresholds.changed(parse_thresholds(",".join(texts)))


def _pool(text: str) -> tuple[str, float]:
    name, _, share = text.rpartition("=")
    try:
        return name, float(share)
    except ValueError:
        raise ConfigError(f"pool {text!r} is not valid: expected NAME=SHARE, such as reports=0.95") from None
