"""Cases for the alerts on targets, objectives and Stethoscope itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.grafana.birth_cases import born
from tests.grafana.case import CRITICAL, HOSTS, INFO, NONE, WARNING, Case, levels, values

DAY = 24 * 60


def gauge(name: str, *pieces: tuple[int, float], host: str = "a", labels: str = "", step: int = 1) -> dict[str, str]:
    return {f'{name}{{job="shop", instance="{host}"{labels}}}': levels(*pieces, step=step)}


def counter(name: str, *pieces: tuple[int, float], host: str = "a", labels: str = "") -> dict[str, str]:
    return {f'{name}_total{{job="shop", instance="{host}"{labels}}}': values(*pieces)}


def _down() -> Iterator[Case]:
    name, labels = "ASGITargetDown", {"instance": "a"}
    workers = {**gauge("stethoscope_workers", (30, 2)), **gauge("stethoscope_workers", (120, 2), host="b")}
    yield Case(
        name,
        "one of two hosts does not answer",
        {**gauge("up", (30, 1), (30, 0), (60, 1)), **gauge("up", (120, 1), host="b"), **workers},
        {29: NONE, 31: NONE, 32: CRITICAL, 59: CRITICAL, 63: CRITICAL, 65: NONE},
        (40, {"critical": "a of shop cannot be scraped"}),
        labels=labels,
    )
    yield Case(
        name,
        "the only host does not answer, for half a day",
        {**gauge("up", (60, 1), (DAY, 0), step=5), **gauge("stethoscope_workers", (60, 2), step=5)},
        {55: NONE, DAY // 2: CRITICAL},
        labels=labels,
        step=5,
    )
    yield Case(name, "a target that is none of ours", gauge("up", (60, 0)), {30: NONE, 50: NONE})
    foreign = {**gauge("stethoscope_workers", (60, 2)), 'up{job="other", instance="z"}': levels((60, 0))}
    yield Case(name, "a target of a service that is none of ours", foreign, {30: NONE, 50: NONE})
    yield Case(
        name, "all answer", {**gauge("up", (60, 1)), **gauge("stethoscope_workers", (60, 2))}, {30: NONE, 50: NONE}
    )


def _absent() -> Iterator[Case]:
    name = "ASGIAbsent"
    other = {'up{job="other", instance="z"}': levels((2 * DAY, 1), step=5)}
    yield Case(
        name,
        "a service loses all its targets, and is forgotten after a day",
        {**other, **gauge("up", (60, 1), step=5), **gauge("stethoscope_workers", (60, 2), step=5)},
        {55: NONE, 60: NONE, 70: CRITICAL, DAY: CRITICAL, DAY + 50: CRITICAL, DAY + 75: NONE},
        (70, {"critical": "No target of shop is left"}),
        step=5,
    )
    yield Case(
        name,
        "five minutes have to pass",
        {**gauge("up", (30, 1)), **gauge("stethoscope_workers", (30, 2))},
        # A series that ends is looked back at for five minutes.
        {34: NONE, 37: NONE, 38: NONE, 40: CRITICAL, 45: CRITICAL},
    )
    back = "1+0x29 _x30 1+0x59"
    yield Case(
        name,
        "it comes back",
        {'up{job="shop", instance="a"}': back, 'stethoscope_workers{job="shop", instance="a"}': back},
        {58: CRITICAL, 60: CRITICAL, 63: CRITICAL, 66: NONE},
    )
    yield Case(
        name,
        "a target that does not answer is not absent",
        {**gauge("up", (60, 0)), **gauge("stethoscope_workers", (10, 2))},
        {50: NONE},
    )
    yield Case(name, "a service that never was ours", gauge("up", (20, 1)), {50: NONE})


def _burn() -> Iterator[Case]:
    """What recording rules make of requests is tested with them; here it is given."""
    for long, short, factor, hours, hold, severities in (
        ("1h", "5m", 14.4, 1, 2, CRITICAL),
        ("6h", "30m", 6, 6, 15, CRITICAL),
        ("1d", "2h", 3, 24, 60, WARNING),
        ("3d", "6h", 1, 72, 180, WARNING),
    ):
        yield from _burn_windows(long, short, factor, hours, hold, severities)


def _burn_windows(
    long: str, short: str, factor: float, hours: int, hold: int, severities: frozenset[str]
) -> Iterator[Case]:
    name, step = "ASGIErrorBudgetBurn", 1 if hours < 24 else 5
    # From hour 4 to hour 12 of 16 the budget is spent.
    begin, end, over = 240, 720, 960

    def before(bad: float) -> str:
        """So many bad requests in the hour before, and none since."""
        return levels((begin - 60, 0), (60, bad / 3600), (over - begin, 0), step=step)

    def burning(slow: float, fast: float, bad: str = levels((over, 1), step=step)) -> dict[str, str]:
        labels, after = '{job="shop", slo="availability"}', over - end
        pieces = {
            f"slo:burn_rate:{long}": ((begin, 0.1), (end - begin, slow), (after, slow)),
            f"slo:burn_rate:{short}": ((begin, 0.1), (end - begin, fast), (after, 0.1)),
        }
        rates = {f"{series}{labels}": levels(*parts, step=step) for series, parts in pieces.items()}
        return {**rates, f"slo:bad:rate5m{labels}": bad}

    def case(claim: str, series: dict[str, str], fires: Mapping[int, frozenset[str]], summary: str = "") -> Case:
        labels = {"slo": "availability", "long": long, "short": short}
        summaries = (begin + 2 * hold, dict.fromkeys(severities, summary)) if summary else None
        return Case(name, f"{long}: {claim}", series, fires, summaries, step, labels)

    lasting = 5 if severities == CRITICAL else 0
    yield case(
        f"{1.05 * factor:g} times too fast in both windows",
        burning(1.05 * factor, 1.05 * factor),
        {
            begin - step: NONE,
            begin + hold - step: NONE,
            begin + hold: severities,
            end - step: severities,
            **({end - 1 + lasting: severities} if lasting else {}),
            end + lasting: NONE,
        },
        f"shop spends the error budget of availability {1.05 * factor:.4g} times too fast",
    )
    yield case("not in the long window", burning(0.95 * factor, 2 * factor), {begin + 2 * hold: NONE})
    yield case("not in the short window", burning(2 * factor, 0.95 * factor), {begin + 2 * hold: NONE})
    yield case("too few to be more than bad luck", burning(9 * factor, 9 * factor, before(9)), {begin + 2 * hold: NONE})
    elsewhere = {
        'slo:bad:rate5m{job="shop", slo="latency"}': levels((over, 1), step=step),
        'slo:bad:rate5m{job="other", slo="availability"}': levels((over, 1), step=step),
    }
    few = {**burning(9 * factor, 9 * factor, before(9)), **elsewhere}
    yield case("others have enough, and this one too few", few, {begin + 2 * hold: NONE})
    yield case("just enough", burning(9 * factor, 9 * factor, before(11)), {begin + 2 * hold: severities})
    # Ten minutes with one bad request in each two; an average times the window would be many more.
    young = f"_x{(begin - 10) // step} {levels((10, 1 / 120), (over - begin, 0), step=step)}"
    yield case("few, and nothing is known of before", burning(9 * factor, 9 * factor, young), {begin + 2 * hold: NONE})
    missing = {key: text for key, text in burning(9 * factor, 9 * factor).items() if "burn_rate:" + short not in key}
    yield case("nothing is known of the short window", missing, {begin + 2 * hold: NONE})


def _losing() -> Iterator[Case]:
    name = "ASGITelemetryDropping"
    for metric, labels in (
        ("stethoscope_internal_errors", ', where="metrics"'),
        ("stethoscope_refused_observations", ', metric="price"'),
        ("stethoscope_dropped_observations", ""),
    ):
        yield Case(
            name,
            f"{metric} grows for a quarter of an hour",
            {**counter(metric, (30, 0), (15, 1), (60, 0), labels=labels)},
            {30: NONE, 31: WARNING, 54: WARNING, 57: NONE},
            (45, {"warning": "Stethoscope in shop lost 600 observations in ten minutes"}),
        )
        yield Case(
            name,
            f"{metric} grows once",
            {f'{metric}_total{{job="shop", instance="a"{labels}}}': "0+0x29 5000+0x60"},
            {29: NONE, 30: WARNING, 38: WARNING, 41: NONE},
        )
    yield Case(name, "nothing new", counter("stethoscope_dropped_observations", (60, 0)), {50: NONE})
    for metric, label in (("internal_errors", "where"), ("refused_observations", "metric")):
        lost = f'stethoscope_{metric}_total{{job="shop", instance="a", {label}="one"}}'
        yield from born(name, lost, 5000, WARNING, "Stethoscope in shop lost 5000 observations in ten minutes")


def _overflow() -> Iterator[Case]:
    name = "ASGISeriesOverflow"
    yield Case(
        name,
        "a metric goes on overflowing",
        counter("stethoscope_overflowed_series", (30, 0), (15, 1), (60, 0), labels=', metric="visits"'),
        {30: NONE, 31: WARNING, 54: WARNING, 57: NONE},
        (45, {"warning": "visits of shop has more label sets than its cap"}),
        labels={"metric": "visits"},
    )
    overflowed = 'stethoscope_overflowed_series_total{job="shop", instance="a", metric="visits"}'
    yield from born(name, overflowed, 1, WARNING, "visits of shop has more label sets than its cap", metric="visits")
    yield Case(
        name,
        "it has overflowed once, long ago",
        counter("stethoscope_overflowed_series", (10, 1), (60, 0), labels=', metric="visits"'),
        {60: NONE},
    )


def _impaired() -> Iterator[Case]:
    name = "ASGIStoreImpaired"
    yield Case(
        name,
        "a worker keeps to itself",
        {
            **gauge("stethoscope_private_store", (30, 0), (30, 1), (30, 0)),
            **gauge("stethoscope_private_store", (90, 0), host="b"),
        },
        {29: NONE, 34: NONE, 35: WARNING, 59: WARNING, 60: NONE},
        (50, {"warning": "Numbers of some workers of shop are missing"}),
    )
    yield Case(
        name,
        "files cannot be read",
        gauge("stethoscope_skipped_segments", (30, 0), (30, 1), (30, 0), labels=', reason="damaged"'),
        {29: NONE, 44: NONE, 45: INFO, 59: INFO, 60: NONE},
        labels={"reason": "damaged", "job": "shop"},
    )


def _cardinality() -> Iterator[Case]:
    name, scraped = "ASGICardinalityHigh", "scrape_samples_post_metric_relabeling"
    workers = {key: text for host in HOSTS for key, text in gauge("stethoscope_workers", (90, 2), host=host).items()}
    yield Case(
        name,
        "one host exposes more than 20,000 series",
        {**gauge(scraped, (30, 900), (30, 21000), (30, 900)), **gauge(scraped, (90, 900), host="b"), **workers},
        {29: NONE, 44: NONE, 45: WARNING, 59: WARNING, 60: NONE},
        (50, {"warning": "a of shop exposes 21k series"}),
        labels={"instance": "a"},
    )
    yield Case(
        name,
        "two hosts with 19,000 each",
        {**gauge(scraped, (90, 19000)), **gauge(scraped, (90, 19000), host="b"), **workers},
        {60: NONE},
    )
    foreign = {
        f'{scraped}{{job="other", instance="a"}}': levels((90, 90000)),
        f'{scraped}{{job="shop", instance="c"}}': levels((90, 90000)),
    }
    yield Case(name, "targets that are none of ours", {**foreign, **workers}, {60: NONE})
    yield Case(name, "a target that is none of ours", gauge(scraped, (90, 90000)), {60: NONE})


def _meta() -> Iterator[Case]:
    always = frozenset(("none",))
    yield Case("Watchdog", "always", {}, {0: always, 60: always}, (60, {"none": "Alerting works from end to end"}))
    firing = 'ALERTS{alertname="X", alertstate="firing", job="shop", severity="%s"}'
    hint, other_hint = firing % "info", firing.replace("X", "Y") % "info"
    yield Case(
        "InfoInhibitor",
        "only hints, and several of them",
        {hint: levels((60, 1)), other_hint: levels((60, 1))},
        {0: always, 30: always},
        (30, {"none": "Nothing but hints about shop"}),
    )
    for severity in ("warning", "critical"):
        yield Case(
            "InfoInhibitor",
            f"a {severity} beside a hint",
            {hint: levels((60, 1)), firing % severity: levels((60, 1))},
            {30: NONE},
        )
    pending = {(firing % "warning").replace("firing", "pending"): levels((60, 1))}
    yield Case("InfoInhibitor", "a warning that does not fire yet", {hint: levels((60, 1)), **pending}, {30: always})
    yield Case(
        "InfoInhibitor",
        "a hint that does not fire yet",
        {hint.replace("firing", "pending"): levels((60, 1))},
        {30: NONE},
    )
    yield Case(
        "InfoInhibitor",
        "a warning of another service",
        {hint: levels((60, 1)), (firing % "warning").replace("shop", "other"): levels((60, 1))},
        {30: always},
    )
    yield Case("InfoInhibitor", "what is always there", {firing % "none": levels((60, 1))}, {30: NONE})
    yield Case("InfoInhibitor", "no hint", {firing % "warning": levels((60, 1))}, {30: NONE})


OWN_CASES: tuple[Case, ...] = (
    *_down(),
    *_absent(),
    *_burn(),
    *_losing(),
    *_overflow(),
    *_impaired(),
    *_cardinality(),
    *_meta(),
)
