"""Alerts on whether there is anything to see at all, and whether it can be believed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from stethoscope.names import WORKERS
from stethoscope.signals.alert import Alert, Condition, always, beyond
from stethoscope.signals.config import Config
from stethoscope.signals.own import OVERFLOWED, PRIVATE, SAMPLES, SKIPPED, lost
from stethoscope.signals.promql import select
from stethoscope.signals.signal import HOST
from stethoscope.signals.slo import BURNS

INFO_INHIBITOR: Final = "InfoInhibitor"
WATCHDOG: Final = "Watchdog"


def _known(config: Config, labels: Iterable[str]) -> str:
    """Services, or targets of theirs, that have exposed our metrics within a day."""
    return f"group by ({', '.join(labels)}) (last_over_time({select(WORKERS, config.in_rules())}[1d]))"


def _down(config: Config) -> str:
    up = _up(config)
    if config.shares_page:
        return _on_page(config, f"({up} == 0)")
    if config.service:
        return f"{up} == 0"
    return f"{up} == 0 and on ({', '.join(config.service_labels)}) {_known(config, config.service_labels)}"


def _on_page(config: Config, up: str) -> str:
    """Targets of services that ``up`` has something to say of, where several services share a target."""
    on = config.in_rules().scrape_labels
    targets = _known(config, dict.fromkeys((*config.target_labels, *on)))
    return f"{targets} and on ({', '.join(on)}) {up}"


def _absent(config: Config) -> str:
    up, known = _up(config), _known(config, config.service_labels)
    if config.shares_page:
        return f"{known} unless on ({', '.join(config.service_labels)}) ({_on_page(config, up)})"
    if config.service:
        return f"absent({up})"
    on = ", ".join(config.service_labels)
    return f"{known} unless on ({on}) group by ({on}) ({up})"


def _up(config: Config) -> str:
    return f"up{{{', '.join(config.service_matcher)}}}" if config.service and not config.shares_page else "up"


def _burning(config: Config) -> Iterable[Condition]:
    for burn in BURNS:
        factor = f"{burn.factor(config.slo_days):.12g}"
        on = ", ".join((*config.service_labels, "slo"))
        # Up to ten bad requests are bad luck. An average times the window would make more of them where only a part
        # of the window is known, so that they are added up: at steps that say nothing of how often rules are evaluated.
        minutes = burn.step_minutes
        bad = config.recorded("slo:bad:rate5m")
        enough = f"on ({on}) sum_over_time({bad}[{burn.long}:{minutes}m]) * {minutes * 60} > 10"
        rates = (config.recorded(f"slo:burn_rate:{window}") for window in (burn.long, burn.short))
        expression = "\nand ".join((*(f"{rate} > {factor}" for rate in rates), enough))
        yield Condition(burn.severity, expression, burn.hold, {"long": burn.long, "short": burn.short})


def _losing(config: Config) -> str:
    return f"{lost(config.in_rules('10m'))} > 0"


def _only_hints(config: Config) -> str:
    by = ", ".join(config.service_labels)
    firing = 'ALERTS{alertstate="firing", severity=~"%s"}'
    return f"group by ({by}) ({firing % 'info'}) unless on ({by}) group by ({by}) ({firing % 'warning|critical'})"


OWN_ALERTS: Final = (
    Alert(
        "ASGITargetDown",
        always("critical", _down, "2m"),
        "{{ $labels.<host> }} of <service> cannot be scraped",
        "Prometheus cannot read the metrics of this host: the app or its sidecar does not answer, or refuses the token.",
        "If it is the app, users of this host get nothing. All other alerts of this host are mute.",
        (
            "Prometheus, Status, Targets: the error of the last scrape.",
            "401: the token; connection refused: nothing listens; deadline exceeded: it hangs.",
        ),
        ("Restart what does not answer, after you have looked at its log.",),
        board="health",
        labels=(HOST,),
    ),
    Alert(
        "ASGIAbsent",
        always("critical", _absent, "5m"),
        "No target of <service> is left",
        "A service that exposed metrics within the last day has no target any more: not down, but gone.",
        "Nothing is known about it.",
        (
            "Was it removed or renamed on purpose? The alert then ends by itself after a day.",
            "Else service discovery lost it: compare Prometheus' configuration with what runs.",
        ),
        ("Start it, or correct the scrape configuration.",),
        board="health",
    ),
    Alert(
        "ASGIErrorBudgetBurn",
        _burning,
        "<service> spends the error budget of {{ $labels.slo }} {{ $value | humanize }} times too fast",
        "The service fails its objective so fast that the error budget will be gone long before its period is over. The labels `long` and `short` say over "
        "which windows: 1h and 6h are for now, 1d and 3d for this week.",
        "When the budget is gone the promise to users is broken.",
        (
            "SLO, “Burn rate”: since when, and does it still rise?",
            "SLO, “Routes that spend the budget”: usually it is one.",
        ),
        ("As for ASGIHighErrorRate and ASGIHighLatency.", "For 1d and 3d: a ticket, done before the next feature."),
        board="slo",
        labels=("slo",),
    ),
    Alert(
        "ASGITelemetryDropping",
        always("warning", _losing, "0m"),
        'Stethoscope in <service> lost {{ printf "%.0f" $value }} observations in ten minutes',
        "Stethoscope failed, or was given numbers that it cannot record, or its store cannot grow.",
        "The app is not touched by it; its numbers are too low.",
        (
            "Telemetry health: is it failures (`where`), refused values (`metric`) or a full store?",
            "The log has each kind of failure once, with its traceback.",
        ),
        ("Full store: give `/dev/shm` more room, or set `dir`.", "Refused values: correct what the app observes."),
        board="health",
    ),
    Alert(
        "ASGISeriesOverflow",
        always("warning", lambda config: f"{OVERFLOWED.expression(config.in_rules('10m'))} > 0", "0m"),
        "{{ $labels.metric }} of <service> has more label sets than its cap",
        "A metric has reached its cap of series; what comes after is counted in one series without labels.",
        "Totals stay right; some label sets can no longer be told apart.",
        ("Which label has so many values? Often it is an ID in a label of a metric of your own.",),
        ("Take the label away, or make its values few.",),
        board="health",
        labels=("metric",),
    ),
    Alert(
        "ASGIStoreImpaired",
        lambda config: [
            Condition("warning", f"({PRIVATE.expression(config.in_rules())}) > 0", "5m"),
            Condition("info", f"({SKIPPED.expression(config.in_rules())}) > 0", "15m"),
        ],
        "Numbers of some workers of <service> are missing",
        "A worker cannot use shared memory and keeps its numbers to itself, or files of workers cannot be read.",
        "What is scraped is the share of some workers only.",
        (
            "The log says why shared memory could not be used: a full or read-only file system, or a folder of somebody else.",
            "`reason` says why a file is not read: `version` and `conflict` pass after a deploy.",
        ),
        ("Set `dir` to a folder on tmpfs that belongs to the service's user.",),
        board="health",
    ),
    Alert(
        "ASGICardinalityHigh",
        beyond(SAMPLES, {"warn": "15m", "critical": "15m"}),
        "{{ $labels.<host> }} of <service> exposes {{ $value | humanize }} series",
        "One target exposes very many series.",
        "Prometheus needs more memory, and scrapes take longer.",
        ("Telemetry health, “Series”: since when? Usually a label of a metric of your own has too many values.",),
        ("Take the label away, or raise `scrape_samples` if it is meant.",),
        board="health",
        labels=(HOST,),
    ),
    Alert(
        WATCHDOG,
        always("none", lambda _: "vector(1)", "0m"),
        "Alerting works from end to end",
        "Always fires, so that its absence says that alerting itself is broken.",
        "None while it arrives. When it stops, no alert reaches anybody.",
        ("Look at Prometheus and Alertmanager, in this order.",),
        ("Let a dead man's switch outside of this network wait for it.",),
        board="health",
    ),
    Alert(
        INFO_INHIBITOR,
        always(
            "none",
            _only_hints,
            "0m",
        ),
        "Nothing but hints about <service>",
        "Mutes alerts of severity info of a service as long as nothing worse fires: alone they are no news, beside a warning they help.",
        "None.",
        ("None needed.",),
        ("None needed.",),
        board="health",
    ),
)
