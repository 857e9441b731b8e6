"""Metrics of operations that the app times by name, and of Stethoscope itself."""

from __future__ import annotations

from stethoscope.names.metric import Kind, Merge, Metric, seconds

TIMER_DURATION = seconds(
    "stethoscope_timer_duration_seconds",
    "Duration of operations timed by name with stethoscope.timer().",
    ("name", "error_type"),
    "stethoscope.timer.duration",
)

INTERNAL_ERRORS = Metric(
    "stethoscope_internal_errors",
    Kind.COUNTER,
    "Failures of Stethoscope itself; none of them reached the app.",
    ("where",),
    otel="stethoscope.internal.errors",
)
REFUSED_OBSERVATIONS = Metric(
    "stethoscope_refused_observations",
    Kind.COUNTER,
    "Observations that were no number, infinite or negative where that has no meaning, and were not recorded.",
    ("metric",),
    otel="stethoscope.refused.observations",
)
OVERFLOWED_SERIES = Metric(
    "stethoscope_overflowed_series",
    Kind.COUNTER,
    "How often a label set got the overflow series because its metric had reached its cap of series. One that is asked for again counts again.",
    ("metric",),
    otel="stethoscope.overflowed.series",
)
DROPPED_OBSERVATIONS = Metric(
    "stethoscope_dropped_observations",
    Kind.COUNTER,
    "Observations lost because the store could not grow (shared memory or disk full).",
    (),
    otel="stethoscope.dropped.observations",
)
DROPPED_EXPORTS = Metric(
    "stethoscope_dropped_exports",
    Kind.COUNTER,
    "Spans, events and points that were made for another system and did not get there.",
    ("exporter", "reason"),
    otel="stethoscope.dropped.exports",
)
SERVICE_INFO = Metric(
    "stethoscope_service_info",
    Kind.GAUGE,
    "1, with the version of the service that a living worker runs, as OTEL_RESOURCE_ATTRIBUTES has it.",
    ("service_version",),
    merge=Merge.LIVEMAX,
    otel="stethoscope.service.info",
)
WORKERS = Metric(
    "stethoscope_workers", Kind.GAUGE, "Living processes that record into this service.", otel="stethoscope.workers"
)
STORE_SIZE = Metric(
    "stethoscope_store_size_bytes",
    Kind.GAUGE,
    "Bytes of shared memory reserved for this service.",
    (),
    "bytes",
    otel="stethoscope.store.size",
)
SKIPPED_SEGMENTS = Metric(
    "stethoscope_skipped_segments",
    Kind.GAUGE,
    "Files in the service's folder that were not read because they are damaged, foreign or of another version.",
    ("reason",),
    otel="stethoscope.skipped.segments",
)
PRIVATE_STORE = Metric(
    "stethoscope_private_store",
    Kind.GAUGE,
    "1 where the answering worker could not use shared memory, so that other workers do not see its numbers.",
    otel="stethoscope.private_store",
)
DROPPED_LINES = Metric(
    "stethoscope_request_log_dropped_lines",
    Kind.COUNTER,
    "Requests that are missing in the request log, because more came than could be written, or the disk was full.",
    otel="stethoscope.request_log.dropped_lines",
)
FINDINGS = Metric(
    "stethoscope_findings",
    Kind.COUNTER,
    "Occurrences of what diagnosis found wrong, by kind; the report has the texts.",
    ("kind", "severity", "http_route", "subject"),
    otel="stethoscope.findings",
)
