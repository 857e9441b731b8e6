"""Metrics of what exporters send (OpenTelemetry SDK semantic conventions, "SDK metrics")."""

from __future__ import annotations

from stethoscope.names.metric import Kind, Metric

EXPORTED_POINTS = Metric(
    "otel_sdk_exporter_metric_data_point_exported",
    Kind.COUNTER,
    "Metric data points that were sent; with an error type those that did not arrive or were refused.",
    ("otel_component_type", "error_type"),
    otel="otel.sdk.exporter.metric_data_point.exported",
)
