"""What is recorded of a fleet is right: beside the truth, which is what all requests of all hosts together were."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from stethoscope.names import REQUEST_DURATION
from stethoscope.signals.config import Config
from stethoscope.signals.files import rules
from stethoscope.signals.slo import Slo
from tests.grafana.case import values
from tests.grafana.promtool import RECORDINGS, run

DURATION: Final = REQUEST_DURATION.name
BOUNDS: Final = (*REQUEST_DURATION.bounds, math.inf)
MINUTES: Final = 20


Durations = Sequence[float]


def _host(number: int) -> Durations:
    """Seconds that the requests of a minute take: each host has its own pace and its own load."""
    typical, load = ((0.02, 600), (0.06, 200), (0.2, 40), (0.6, 10))[number % 4]
    random = np.random.default_rng(number)
    return [float(value) for value in random.lognormal(math.log(typical), 0.7, load)]


def _buckets(job: str, host: int, durations: Durations) -> Iterator[tuple[str, str]]:
    labels = f'job="{job}", instance="{host}", http_route="/", http_request_method="GET"'
    for bound in BOUNDS:
        within = sum(one <= bound for one in durations)
        le = "+Inf" if bound == math.inf else f"{bound:g}"
        yield f'{DURATION}_bucket{{{labels}, le="{le}"}}', values((MINUTES, within / 60))
    yield f"{DURATION}_count{{{labels}}}", values((MINUTES, len(durations) / 60))


def _holds(expression: str, minute: int = MINUTES) -> dict[str, Any]:
    """A comparison, which has to leave one sample."""
    return {"expr": f"count({expression})", "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": 1}]}


def _near(expression: str, truth: float, error: float, minute: int = MINUTES) -> dict[str, Any]:
    return _holds(f"abs({expression} - {truth!r}) <= {error!r}", minute)


def _wrong(folder: Path, series: Mapping[str, str], expected: Sequence[Mapping[str, Any]]) -> str:
    (folder / "recording.yaml").write_text(RECORDINGS)
    given = [{"series": name, "values": text} for name, text in series.items()]
    test = {"interval": "1m", "input_series": given, "promql_expr_test": expected}
    return run(folder, [test], "recording.yaml", 1)


def _bucket_of(seconds: float) -> tuple[float, float]:
    """The bounds that a value lies between: no nearer can a quantile of classic buckets be known."""
    place = bisect_left(BOUNDS, seconds)
    return (BOUNDS[place - 1] if place else 0.0), BOUNDS[place]


@pytest.mark.parametrize("hosts", [1, 3, 12])
def test_quantiles_of_a_fleet_are_those_of_all_its_requests(hosts: int, tmp_path: Path) -> None:
    fleet = [_host(number) for number in range(hosts)]
    series = dict(pair for number, durations in enumerate(fleet) for pair in _buckets("shop", number, durations))
    together = np.concatenate(fleet)
    expected = []
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        low, high = _bucket_of(float(np.quantile(together, share, method="inverted_cdf")))
        for level in ("job", "job_route"):
            recorded = f"{level}:{DURATION}:{name}_rate5m"
            expected += [_holds(f"{recorded} > {low!r}"), _holds(f"{recorded} <= {min(high, 10.0)!r}")]
    assert _wrong(tmp_path, series, expected) == ""


def test_the_mean_of_the_hosts_quantiles_would_be_wrong() -> None:
    """Or the test above could not tell them apart."""
    fleet = [_host(number) for number in range(12)]
    low, high = _bucket_of(float(np.quantile(np.concatenate(fleet), 0.95)))
    assert not low < float(np.mean([np.quantile(durations, 0.95) for durations in fleet])) <= high


def test_quantiles_of_several_services_are_made_of_their_buckets_rates(tmp_path: Path) -> None:
    shop, till = _host(0), _host(3)
    series = dict([*_buckets("shop", 0, shop), *_buckets("till", 1, till)])
    low, high = _bucket_of(float(np.quantile([*shop, *till], 0.95, method="inverted_cdf")))
    together = f"histogram_quantile(0.95, sum by (le) (job_le:{DURATION}_bucket:rate5m))"
    assert _wrong(tmp_path, series, [_holds(f"{together} > {low!r}"), _holds(f"{together} <= {high!r}")]) == ""


def _requests(host: str, error: str, *pieces: tuple[int, float], job: str = "shop") -> Iterator[tuple[str, str]]:
    labels = f'job="{job}", instance="{host}", http_route="/", http_request_method="GET", error_type="{error}"'
    yield f"{DURATION}_count{{{labels}}}", values(*pieces)
    # All that fail take long, all others are quick.
    yield (
        f'{DURATION}_bucket{{{labels}, le="0.5"}}',
        values(*((minutes, 0.0 if error else rate) for minutes, rate in pieces)),
    )


def test_error_ratios_are_those_of_requests_not_of_hosts(tmp_path: Path) -> None:
    """A small host fails always, large ones hardly ever; clients that leave are no failures."""
    rates = Counter(
        {("a", ""): 90.0, ("a", "500"): 1.0, ("b", ""): 45.0, ("b", "client_disconnect"): 5.0, ("c", "KeyError"): 2.0}
    )
    series = dict(pair for (host, error), rate in rates.items() for pair in _requests(host, error, (MINUTES, rate)))
    failed, total = 3.0, rates.total()
    expected = [
        test
        for level in ("job", "job_route")
        for test in (
            _near(f"{level}:http_server_requests:rate5m", total, 1e-6),
            _near(f"{level}:http_server_errors:rate5m", failed, 1e-6),
            _near(f"{level}:http_server_error_share:rate5m", failed / total, 1e-9),
        )
    ]
    expected.append(_near('slo:burn_rate:5m{slo="availability"}', failed / total / 0.001, 1e-6))
    # Who left took long as well.
    expected.append(_near('slo:burn_rate:5m{slo="latency"}', (failed + 5.0) / total / 0.01, 1e-6))
    assert _wrong(tmp_path, series, expected) == ""


def test_budgets_are_spent_by_requests_not_by_minutes(tmp_path: Path) -> None:
    """Two hosts with much traffic, of which one is started anew; and half an hour in which little comes and all fails."""
    day, night, morning = (70, 20.0), (30, 0.0), (20, 20.0)
    restarted = f"{values((45, 10.0))} {values((24, 10.0), (30, 0.0), (20, 10.0))}"
    series = {
        **dict(_requests("a", "", day, night, morning)),
        **{name: restarted for name, _ in _requests("b", "")},
        **dict(_requests("a", "503", (70, 0.0), (30, 0.05), (20, 0.0))),
    }
    bad = 30 * 60 * 0.05
    spent, ever = bad / (bad + 30 * 60 * 30.0), bad / (bad + 90 * 60 * 30.0)
    expected = [
        # One sample more than there are minutes, and what a restart hides until the next scrape.
        _near('slo:burn_rate:1h{slo="availability"}', spent / 0.001, 0.05 * spent / 0.001, 120),
        _near('slo:good:share_period{slo="availability"}', 1 - ever, 0.05 * ever, 120),
        _near('slo:budget_left:share_period{slo="availability"}', 1 - ever / 0.001, 0.05 * ever / 0.001, 120),
    ]
    assert _wrong(tmp_path, series, expected) == ""
    # By minutes, half of the hour would be bad.
    assert spent < 0.01


def test_services_with_rules_of_their_own_have_objectives_of_their_own(tmp_path: Path) -> None:
    """One in a hundred requests fails, which is twenty times too many for one of the services and none too many for the other."""
    series: dict[str, str] = {}
    for service, objective in (("shop", 0.9995), ("till", 0.99)):
        config = Config(service=service, slos=(Slo("availability", objective),))
        for name, text in rules(config).items():
            (tmp_path / f"{service}-{Path(name).name}").write_text(text)
        for error, rate in (("", 99.0), ("500", 1.0)):
            series |= _requests("a", error, (MINUTES, rate), job=service)
    expected = [
        _near('slo:error_budget:share{job="shop"}', 0.0005, 1e-9),
        _near('slo:error_budget:share{job="till"}', 0.01, 1e-9),
        *(_near(f'slo:burn_rate:{window}{{job="shop"}}', 20, 1e-6) for window in ("5m", "1h", "3d")),
        *(_near(f'slo:burn_rate:{window}{{job="till"}}', 1, 1e-6) for window in ("5m", "1h", "3d")),
        _near('slo:budget_left:share_period{job="shop"}', -19, 1e-6),
        _near('slo:budget_left:share_period{job="till"}', 0, 1e-6),
        {
            "expr": 'count by (job) (ALERTS{alertname="ASGIErrorBudgetBurn", alertstate="firing", long="1h"})',
            "eval_time": f"{MINUTES}m",
            "exp_samples": [{"labels": '{job="shop"}', "value": 1}],
        },
    ]
    given = [{"series": name, "values": text} for name, text in series.items()]
    test = {"interval": "1m", "input_series": given, "promql_expr_test": expected}
    assert run(tmp_path, [test], "*-*.yaml", 1) == ""
