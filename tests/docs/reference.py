"""Write the reference pages anew: ``python -m tests.docs.reference``.

What can be read from the package is: names, variables, defaults, what is accepted, metrics. What settings
and labels are for is said here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from stethoscope.names import (
    COUNT_BOUNDS,
    DURATION_BOUNDS,
    METRICS,
    OVERFLOW_LABEL,
    PAUSE_BOUNDS,
    PER_WORKER,
    QUERY_BOUNDS,
    SIZE_BOUNDS,
    Kind,
    Merge,
    Metric,
)
from stethoscope.sentry_options import SentryOptions
from stethoscope.settings import Options, Settings, SettingsError
from stethoscope.thresholds import Thresholds
from tests.docs.api_reference import api_page
from tests.docs.findings_reference import findings_page
from tests.docs.pages import ROOT

SETTINGS_PAGE: Final = ROOT / "docs" / "reference" / "settings.md"
METRICS_PAGE: Final = ROOT / "docs" / "reference" / "metrics.md"
API_PAGE: Final = ROOT / "docs" / "reference" / "api.md"
FINDINGS_PAGE: Final = ROOT / "docs" / "reference" / "findings.md"

MEANINGS: Final[Mapping[str, str]] = {
    "service": "Name of the service. All processes of this user on this host with the same name share their "
    "numbers. Without it, the app's title or module names the service, and each server keeps to itself.",
    "dir": "Folder in which processes share what they record. It must belong to the user, and nobody else may write "
    "to it; it is made if it is missing. By default a private one in `/dev/shm`, else in `$XDG_RUNTIME_DIR`, "
    "else among the temporary files.",
    "group": "Group of users who may read what is recorded, such as the [sidecar](../how-to/sidecar.md)'s; the process "
    "must be a member. By default nobody else may read it.",
    "prefix": "Path below which our own endpoints are, such as `/_stethoscope/metrics`.",
    "token": "Bearer token for our endpoints. Without one, nothing is served below the prefix.",
    "auth": "A function of your own, which may be `async`, that decides who may use everything under the prefix, with or without a token: [a check of your own](../how-to/securing.md#a-check-of-your-own).",
    "metrics_path": "Second path for the metrics, such as `/metrics`.",
    "metrics_access": "Who may read `metrics_path` without the token. By default requests from this machine: "
    "[a path without a token](../how-to/securing.md#a-path-without-a-token).",
    "headers": "Response headers to add. An empty sequence, or an empty variable, adds none.",
    "exclude": "What not to measure: route templates, or paths and everything below them.",
    "thresholds": "When a number is trouble, if not by [the default](#thresholds): on the live page, in findings and "
    "in alerts.",
    "tracing": "Whether each request makes an OpenTelemetry server span. By default it does if a tracer provider is set "
    "up, or OpenTelemetry's variables ask for one: [tracing](../how-to/tracing.md).",
    "query_strings": "Whether spans and events may contain the query strings of requests.",
    "instruments": "What else to measure, beside requests and what the app asks for by name. `runtime`: event loops, garbage "
    "collector, threads; `process`: what each worker uses; `machine`: what the machine and the cgroup use and may use "
    "([vitals](../how-to/vitals.md)); `queue`: how long requests waited for a worker; `requests`: keeps some of them "
    "[to be followed](../how-to/follow-a-request.md); `sqlalchemy`: [databases](../how-to/database.md). `default` stands "
    "for everything that is on by default, so that `default,explain` adds one.",
    "names": "Names that requests are scraped under: `stethoscope` for ours, or those that dashboards of [another project]"
    "(../how-to/migrate.md) know. Several can be given.",
    "sentry": "What to send to [Sentry](../how-to/sentry.md), if `SENTRY_DSN` is set or the app has initialised its SDK; `False` for nothing.",
    "request_log": "File to write all requests to, as [JSON lines](../how-to/follow-a-request.md#as-json-lines).",
}

NO_SETTINGS: Final[Mapping[str, str]] = {
    "STETHOSCOPE_PURE": "`1` keeps a process, or a build of the package, to plain Python: [what it costs](../explanation/cost.md).",
    "OTEL_SERVICE_NAME": "The service's name, if neither `service` nor `STETHOSCOPE_SERVICE` gives one.",
    "OTEL_RESOURCE_ATTRIBUTES": "Its `service.name` is the service's name, if `OTEL_SERVICE_NAME` is not set either. Its `service.version` marks deploys on the dashboards.",
    "OTEL_SDK_DISABLED": "`true`: no traces, nor anything else for OpenTelemetry.",
    "OTEL_TRACES_EXPORTER": "Where traces go: [tracing](../how-to/tracing.md) lists the other variables that OpenTelemetry reads.",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "How traces and metrics get there: `http/protobuf` (the default) or `grpc`.",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "The same, for traces only.",
    "SENTRY_DSN": "Where events go: [Sentry](../how-to/sentry.md).",
    "OTEL_BSP_MAX_QUEUE_SIZE": "How many spans may wait to be exported, by default 2,048.",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "Spans in one export, by default 512.",
    "OTEL_BSP_SCHEDULE_DELAY": "Milliseconds between two exports, by default 5,000.",
    "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS": "HTTP methods, separated by commas, that are used as label values; "
    "all others are `_OTHER`. By default the methods of HTTP.",
    "OTEL_METRICS_EXPORTER": "Metrics are pushed over OTLP if it contains `otlp`: [OpenTelemetry](../how-to/opentelemetry.md).",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "Where to push; setting it also switches pushing on. This and all other variables of the official OTLP "
    "exporters mean what they mean there.",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "The same for metrics only, including the path.",
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "The protocol for metrics only.",
    "OTEL_METRIC_EXPORT_INTERVAL": "Milliseconds between two pushes, 60000 by default.",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "`cumulative` (the default), `delta`, or `lowmemory`, which means `delta` here.",
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "`explicit_bucket_histogram` (the default) or "
    "`base2_exponential_bucket_histogram`.",
    "XDG_RUNTIME_DIR": "Where the folder is made, if `/dev/shm` cannot be used.",
    "PROMETHEUS_MULTIPROC_DIR": "If set, prometheus_client's metrics are left to its own multi-process mode: "
    "[Keep your prometheus_client metrics](../how-to/prometheus-client.md).",
}

LABELS: Final[Mapping[str, str]] = {
    "http_request_method": "`GET`, `POST`, …; `_OTHER` for unknown methods",
    "http_route": "template of the route, such as `/users/{number}`; `__unmatched__` where none was found",
    "http_response_status_code": "the status that was sent; empty where the client left, or the request was "
    "cancelled, before one was",
    "url_scheme": "`http`, `https`, `ws`, `wss`; empty for anything else",
    "error_type": "class of the exception, the status for a 5xx without one, `client_disconnect`, `cancelled`, "
    "`incomplete_response`; empty where all went well",
    "close_code": "close code of the WebSocket connection; `1006` where it broke off, `refused` where the handshake was refused",
    "db_system_name": "`postgresql`, `sqlite`, `mysql`, …: the database's product",
    "db_operation_name": "first word of the statement, such as `SELECT`; `_OTHER` for unknown words",
    "db_collection_name": "table that the statement is about, where it is one",
    "db_query_fingerprint": "the statement without its literals, as a short hash; the slow-query report has its text",
    "db_client_connection_pool_name": "name of the connection pool",
    "db_client_connection_state": "`idle` or `used`",
    "kind": "what was found, such as `n_plus_one`",
    "severity": "`critical`, `warning` or `info`",
    "service_version": "what the environment's `OTEL_RESOURCE_ATTRIBUTES` has as `service.version`",
    "subject": "what it was found at, such as a relationship, a fingerprint or a pool",
    "otel_component_type": "what sends, such as `otlp_http_metric_exporter`",
    "outcome": "`commit` or `rollback`",
    "operation": "what was done with rows: `returned`, `fetched`, `inserted`, `updated`, `deleted`",
    "source": "`hit` in the database's memory, `read` from outside of it",
    "table": "table with its schema",
    "journal_mode": "`wal`, `delete`, …",
    "synchronous": "`off`, `normal`, `full`, `extra`",
    "state": "what a connection does, in the database's words, such as `active` or `idle in transaction`",
    "direction": "`receive` or `send`, as the app sees it",
    "name": "what was given to `stethoscope.timer` or `stethoscope.monitor_query`",
    "where": "part of Stethoscope that failed",
    "metric": "name of the metric that it happened to",
    "cpu_mode": "`user`, `system`; of the machine also `nice`, `idle`, `iowait`, `interrupt`, `steal`",
    "process_context_switch_type": "`voluntary` or `involuntary`",
    "system_paging_fault_type": "`minor` or `major`",
    "disk_io_direction": "`read` or `write`",
    "cpython_gc_generation": "`0`, `1` or `2`, which is a full collection",
    "event_loop": "`asyncio`, `uvloop` or `trio`",
    "window": "`1m`, `5m` or `15m`",
    "system_memory_state": "`used`, `free`, `cached` or `buffers`",
    "system_paging_state": "`used` or `free`",
    "system_paging_direction": "`in` or `out`",
    "system_device": "name of the disk or of what is mounted, such as `sda1`",
    "system_filesystem_mountpoint": "where it is mounted",
    "system_filesystem_state": "`used`, `free` or `reserved`",
    "exporter": "`traces`, `sentry`, …: what was to be delivered",
    "network_interface_name": "name of the network interface, such as `eth0`",
    "network_io_direction": "`receive` or `transmit`",
    "reason": "why something was not delivered: `queue_full`, `not_delivered` (the receiver refused it, or never answered), `closed` (the process ended); of a queue time that was refused: `future`, `old` or `unreadable`; why a file was left out: `conflict` (a metric with other bounds), `damaged`, `foreign`, `replaced`, "
    "`truncated`, `unreadable`, `version`",
}

SECTIONS: Final = (
    ("HTTP requests", ("http_server_", "stethoscope_http_server_")),
    ("WebSockets", ("stethoscope_websocket_",)),
    ("Database", ("db_client_", "stethoscope_db_")),
    (
        "The database itself, with `database-vitals`",
        ("stethoscope_database_", "stethoscope_postgresql_", "stethoscope_sqlite_"),
    ),
    ("Timers", ("stethoscope_timer_",)),
    (
        "Workers and their Python",
        (
            "process_",
            "stethoscope_process_",
            "stethoscope_worker_",
            "cpython_",
            "stethoscope_gc_",
            "stethoscope_event_loop_",
            "stethoscope_anyio_",
            "stethoscope_default_executor_",
        ),
    ),
    (
        "The machine",
        ("system_", "stethoscope_system_", "stethoscope_cpu_", "stethoscope_memory_", "stethoscope_out_of_memory_"),
    ),
    ("Exports", ("otel_sdk_",)),
    ("Stethoscope itself", ("stethoscope_",)),
)

_BOUNDS: Final = {
    DURATION_BOUNDS: "durations",
    SIZE_BOUNDS: "sizes",
    QUERY_BOUNDS: "database durations",
    COUNT_BOUNDS: "numbers",
    PAUSE_BOUNDS: "pauses",
}
_MERGES: Final = {
    **dict.fromkeys(PER_WORKER, "one series for each worker, with its `pid`"),
    Merge.LIVEMOSTRECENT: "the newest value of all workers",
}
_GENERATED: Final = "<!-- Written by `python -m tests.docs.reference`. -->"


class Recording(dict[str, str]):
    """An environment in which nothing is set, and that notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def get(self, key: str, default: object = None) -> object:  # type: ignore[override]
        self.asked.append(key)
        return default


def names_of_settings() -> list[str]:
    """The settings, in order of their definition."""
    return list(Options.__annotations__)


def variables() -> list[str]:
    """Environment variables that the settings read."""
    environ = Recording()
    Settings.resolve(environ=environ)
    return environ.asked


def accepted() -> dict[str, str]:
    """What each setting accepts, in the words of the error that says so."""
    found = {}
    for name in names_of_settings():
        wrong = {name: [" "] if name in ("headers", "exclude", "instruments") else " "}
        try:
            Settings.resolve(**wrong, environ={})  # type: ignore[arg-type]
        except SettingsError as error:
            found[name] = str(error).partition("expected ")[2]
    return found


def settings_page() -> str:
    known, expected = variables(), accepted()
    rows = [
        (f"`{name}`", f"`{variable}`" if variable in known else "–", _default(name), MEANINGS[name], expected[name])
        for name, variable in ((name, f"STETHOSCOPE_{name.upper()}") for name in names_of_settings())
    ]
    return "\n".join(
        [
            "# Settings",
            "",
            _GENERATED,
            "",
            "Keyword arguments of `stethoscope.install`, `stethoscope.Stethoscope` and",
            "`app.add_middleware(stethoscope.Stethoscope, …)`, or environment variables. An argument wins over a variable,",
            "and a variable over the default. In variables, lists are separated by commas. All mistakes together raise one",
            "`stethoscope.SettingsError`, when the app is made. A variable whose name is nearly that of a setting is warned of,",
            "as is one for a setting that only an argument can give.",
            "",
            *_table(("argument", "variable", "default", "meaning", "accepted"), rows),
            "",
            *_thresholds(),
            "## Other variables that are read",
            "",
            *_table(("variable", "meaning"), [(f"`{name}`", meaning) for name, meaning in NO_SETTINGS.items()]),
            "",
        ]
    )


def _thresholds() -> Iterator[str]:
    rows = [
        (
            f"`{name}`",
            one.what + (" (trouble below)" if one.below else ""),
            one.unit,
            *map(_level, (one.warn, one.critical)),
        )
        for name, one in Thresholds()._asdict().items()
    ]
    yield from ("## Thresholds", "")
    yield "A number beyond `warn` needs a look, one beyond `critical` needs action. `STETHOSCOPE_THRESHOLDS` names those to change,"
    yield "separated by commas: `request_p95=0.3:0.8, cpu_use=0.7, query_p95=none:0.5`. What you leave out stays as it is, and `none`"
    yield from ("switches a level off.", "")
    yield "Nothing that Stethoscope measures by itself is held against those of caches, rate limits, uploads and web vitals: the API has"
    yield from ("them, for dashboards of your own.", "")
    yield from _table(("threshold", "of", "in", "warn", "critical"), rows)
    yield ""


def _level(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _default(name: str) -> str:
    value = getattr(Settings.resolve(environ={}), name)
    if isinstance(value, Thresholds):
        return "[those below](#thresholds)"
    if isinstance(value, SentryOptions):
        return "[what it does](../how-to/sentry.md)"
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value) or "none"
    return "none" if value is None else f"`{value}`"


def metrics_page() -> str:
    return "\n".join(
        [
            "# Metrics",
            "",
            _GENERATED,
            "",
            "What Stethoscope emits by itself, under the names of a scrape. Metrics [of your own](../how-to/own-metrics.md) and",
            "[of prometheus_client](../how-to/prometheus-client.md) come beside them. A histogram `x` is scraped as `x_bucket`,",
            "`x_sum` and `x_count`. Units are base units: seconds and bytes. How exact it all is:",
            "[accuracy](../explanation/accuracy.md).",
            "",
            "Gauges are of living workers only, and added up, unless it says otherwise.",
            "",
            *_sections(),
            "## Labels",
            "",
            *_table(("label", "values"), [(f"`{label}`", meaning) for label, meaning in LABELS.items()]),
            "",
            f'Each metric has at most 2,000 label sets; what comes after them is one series with `{OVERFLOW_LABEL}="true"`.',
            "",
            "## Bounds of buckets",
            "",
            *_table(("of", "inclusive upper bounds"), [(what, _numbers(bounds)) for bounds, what in _BOUNDS.items()]),
            "",
        ]
    )


def _sections() -> Iterator[str]:
    left = list(METRICS)
    for title, prefixes in SECTIONS:
        here = [metric for metric in left if metric.name.startswith(prefixes)]
        left = [metric for metric in left if metric not in here]
        yield from (f"## {title}", "")
        for metric in here:
            yield from _metric(metric)
    if left:
        raise ValueError(f"no section for {', '.join(metric.name for metric in left)}")


def _metric(metric: Metric) -> Iterator[str]:
    sample = f"{metric.name}_total" if metric.kind is Kind.COUNTER else metric.name
    facts = [metric.kind.value, *([f"in {metric.unit}"] if metric.unit else [])]
    if metric.bounds:
        facts.append(f"[bounds](#bounds-of-buckets) of {_BOUNDS[metric.bounds]}")
    if metric.kind is Kind.GAUGE and metric.merge in _MERGES:
        facts.append(_MERGES[metric.merge])
    if metric.otel:
        facts.append(f"OpenTelemetry name `{metric.otel}`")
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    yield from (f"### `{sample}`", "", metric.help, "")
    yield from (f"- {', '.join(facts)}", f"- {'labels ' + labels if labels else 'no labels'}", "")


def _numbers(bounds: Iterable[float]) -> str:
    return ", ".join(f"{bound:.10g}" for bound in bounds)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


PAGES: Final = {
    SETTINGS_PAGE: settings_page,
    METRICS_PAGE: metrics_page,
    API_PAGE: api_page,
    FINDINGS_PAGE: findings_page,
}


def write() -> None:
    for path, render in PAGES.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render())


if __name__ == "__main__":
    write()
