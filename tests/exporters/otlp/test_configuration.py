"""What the variables of the OpenTelemetry specification mean here."""

from __future__ import annotations

import logging

import pytest

from stethoscope.exporters.otlp.configuration import Configuration

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        ENDPOINT | {"OTEL_METRICS_EXPORTER": "none"},
        ENDPOINT | {"OTEL_METRICS_EXPORTER": "prometheus,console"},
        ENDPOINT | {"OTEL_SDK_DISABLED": "True"},
    ],
)
def test_nothing_is_pushed_unless_it_is_asked_for(environ: dict[str, str]) -> None:
    assert Configuration.of(environ) is None


@pytest.mark.parametrize(
    "environ",
    [
        ENDPOINT,
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://collector:4318/v1/metrics"},
        {"OTEL_METRICS_EXPORTER": "otlp"},
        {"OTEL_METRICS_EXPORTER": "prometheus, otlp"},
        ENDPOINT | {"OTEL_SDK_DISABLED": "false"},
    ],
)
def test_an_endpoint_or_the_exporters_name_asks_for_it(environ: dict[str, str]) -> None:
    assert Configuration.of(environ) == Configuration("http/protobuf", 60.0, delta=False, exponential=False)


def test_everything_can_be_set() -> None:
    environ = ENDPOINT | {
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc",
        "OTEL_METRIC_EXPORT_INTERVAL": "1500",
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "DELTA",
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram",
    }
    assert Configuration.of(environ) == Configuration("grpc", 1.5, delta=True, exponential=True)


def test_what_can_not_be_read_is_warned_of_and_taken_as_not_set(caplog: pytest.LogCaptureFixture) -> None:
    environ = ENDPOINT | {
        "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/json",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_METRIC_EXPORT_INTERVAL": "-5",
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "both",
    }
    with caplog.at_level(logging.WARNING, "stethoscope"):
        assert Configuration.of(environ) == Configuration("grpc", 60.0, delta=False, exponential=False)
    assert [record.args[:2] for record in caplog.records if isinstance(record.args, tuple)] == [
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "-5"),
    ]
