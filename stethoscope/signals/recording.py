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
    for slo in config.slos:
        labels = (("slo", slo.name),)
        counted = frame if slo.seconds is None else frame.where(*config.without_lasting)
        yield Recording("slo:bad:rate5m", slo.bad(counted), labels)
        yield Recording("slo:total:rate5m", slo.total(counted), labels)
        yield Recording("slo:objective:share", f"vector({slo.objective:.12g})", labels)
        yield Recording("slo:error_budget:share", f"vector({slo.budget:.12g})", labels)


def _bad_share(window: str) -> str:
    # Rates at even intervals, added up, are requests: the share is one of requests, not of minutes.
    return f"sum_over_time(slo:bad:rate5m[{window}]) / (sum_over_time(slo:total:rate5m[{window}]) > 0)"


def _burn_rates(config: Config) -> Iterator[Recording]:
    for window in WINDOWS:
        share = "slo:bad:rate5m / (slo:total:rate5m > 0)" if window == "5m" else _bad_share(window)
        yield Recording(f"slo:burn_rate:{window}", f"{share} / on (slo) group_left () slo:error_budget:share")


def _period(config: Config) -> Iterator[Recording]:
    period = f"{config.slo_days}d"
    yield Recording("slo:good:share_period", f"1 - {_bad_share(period)}")
    yield Recording(
        "slo:budget_left:share_period",
        "1 - (1 - slo:good:share_period) / on (slo) group_left () slo:error_budget:share",
    )
