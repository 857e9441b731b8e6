"""What the environment says about pushing metrics over OTLP.

Variables and defaults are those of the OpenTelemetry specification ("General SDK Configuration", "OpenTelemetry
Protocol Exporter", "Metrics Exporter - OTLP"). As it wants, an empty variable counts as not set, and a value
that cannot be read is warned of and counts as not set too. Endpoints, headers, certificates, compression and the time that one
request may take are read by the official exporters themselves.

One thing differs: without any variable about it nothing is sent, where the specification's default would be
to send to a collector on this machine that may not be there.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Final, NamedTuple

logger = logging.getLogger("stethoscope")

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_TEMPORALITY: Final = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
_AGGREGATION: Final = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
_INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"

GRPC: Final = "grpc"
HTTP: Final = "http/protobuf"


class Configuration(NamedTuple):
    """How to push. ``interval`` is in seconds. ``delta`` is for counters and histograms; gauges are never differences."""

    protocol: str = HTTP
    interval: float = 60.0
    delta: bool = False
    exponential: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, str] = os.environ) -> Configuration | None:
        """What the environment asks for; None where it does not ask for metrics over OTLP."""
        if not _wanted(environ):
            return None
        # With "lowmemory" the instruments that we have, synchronous ones, are differences as well.
        temporality = _choice(environ, (_TEMPORALITY,), ("cumulative", "delta", "lowmemory"))
        aggregation = _choice(
            environ, (_AGGREGATION,), ("explicit_bucket_histogram", "base2_exponential_bucket_histogram")
        )
        return cls(
            protocol=_choice(environ, _PROTOCOLS, (HTTP, GRPC)),
            interval=_milliseconds(environ, _INTERVAL, 60_000) / 1000,
            delta=temporality != "cumulative",
            exponential=aggregation == "base2_exponential_bucket_histogram",
        )


def _wanted(environ: Mapping[str, str]) -> bool:
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = [name.strip() for name in environ.get("OTEL_METRICS_EXPORTER", "").split(",") if name.strip()]
    return "otlp" in exporters if exporters else any(environ.get(name) for name in _ENDPOINTS)


def _choice(environ: Mapping[str, str], variables: tuple[str, ...], accepted: tuple[str, ...]) -> str:
    """The value of the first variable that is set; the first that is accepted where none is."""
    for name in variables:
        if value := environ.get(name, "").strip():
            if value.lower() in accepted:
                return value.lower()
            logger.warning("%s=%r is not valid: expected one of %s; taken as not set", name, value, ", ".join(accepted))
    return accepted[0]


def _milliseconds(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "").strip()
    if not text:
        return default
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    logger.warning("%s=%r is not valid: expected milliseconds above zero; taken as not set", name, text)
    return default
