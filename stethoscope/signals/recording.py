"""Recording rules: figures of whole services, and of objectives.

What is recorded of distributions are rates of buckets, which may be added up over any number of hosts and
services, and quantiles of them. Quantiles may not: for those of several services together, take the buckets' rates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stethoscope.names import REQUEST_DURATION
from stethoscope.signals.config import Config
from stethoscope.signals.http import ERRORS, FAILED, P50, P95, P99, REQUESTS
from stethoscope.signals.promql import Frame, per_second, select, summed
from stethoscope.signals.slo import WINDOWS

_ROUTE = ("http_route", "http_request_method")


@dataclass(frozen=True, slots=True)
class Recording:
    record: str
    expression: str
    labels: tuple[tuple[str, str], ...] = ()

    def rule(self) -> dict[str, object]:
        labels: dict[str, object] = {"labels": dict(self.labels)} if self.labels else {}
        return {"record": self.record, "expr": self.expression, **labels}


def recordings(config: Config) -> dict[str, list[Recording]]:
    """By group. Rules of a group run one after the other, and each may read those before it."""
    frame = config.in_rules()
    return {
        "stethoscope-requests": [*_requests("job", frame), *_requests("job_route", frame.keep(*_ROUTE))],
        "stethoscope-objectives": [*_objectives(config, frame), *_burn_rates(config), *_period(config)],
    }


def _requests(level: str, frame: Frame) -> Iterator[Recording]:
    duration = f"{level}:{REQUEST_DURATION.name}"
    buckets = f"rate({select(REQUEST_DURATION, frame, '_bucket')}{frame.range})"
    yield Recording(f"{level}_le:{REQUEST_DURATION.name}_bucket:rate5m", summed(buckets, frame, "le"))
    yield Recording(f"{level}:http_server_requests:rate5m", REQUESTS.expression(frame))
    failed = per_second(REQUEST_DURATION, frame.where(*FAILED))
    yield Recording(f"{level}:http_server_errors:rate5m", f"{failed} or {REQUESTS.expression(frame)} * 0")
    yield Recording(f"{level}:http_server_error_share:rate5m", ERRORS.expression(frame))
    for quantile, signal in (("p50", P50), ("p95", P95), ("p99", P99)):
        yield Recording(f"{duration}:{quantile}_rate5m", signal.expression(frame))


def _objectives(config: Config, frame: Frame) -> Iterator[Recording]:
    # What is promised of one service is no promise of the others.
    whose = ((config.job_label, config.service),) if config.service else ()
    for slo in config.slos:
        labels = (("slo", slo.name),)
        counted = frame if slo.seconds is None else frame.where(*config.without_lasting)
        yield Recording("slo:bad:rate5m", slo.bad(counted), labels)
        yield Recording("slo:total:rate5m", slo.total(counted), labels)
        yield Recording("slo:objective:share", f"vector({slo.objective:.12g})", (*whose, *labels))
        yield Recording("slo:error_budget:share", f"vector({slo.budget:.12g})", (*whose, *labels))


def _bad_share(config: Config, window: str) -> str:
    bad, total = config.recorded("slo:bad:rate5m"), config.recorded("slo:total:rate5m")
    if window == "5m":
        return f"{bad} / ({total} > 0)"
    # Rates at even intervals, added up, are requests: the share is one of requests, not of minutes.
    return f"sum_over_time({bad}[{window}]) / (sum_over_time({total}[{window}]) > 0)"


def _per_budget(config: Config, share: str) -> str:
    on = f"{config.job_label}, slo" if config.service else "slo"
    return f"{share} / on ({on}) group_left () {config.recorded('slo:error_budget:share')}"


def _burn_rates(config: Config) -> Iterator[Recording]:
    for window in WINDOWS:
        yield Recording(f"slo:burn_rate:{window}", _per_budget(config, _bad_share(config, window)))


def _period(config: Config) -> Iterator[Recording]:
    period = f"{config.slo_days}d"
    yield Recording("slo:good:share_period", f"1 - {_bad_share(config, period)}")
    spent = _per_budget(config, f"(1 - {config.recorded('slo:good:share_period')})")
    yield Recording("slo:budget_left:share_period", f"1 - {spent}")
