"""Whether requests are traced, by what is set up and what the environment says."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stethoscope.exporters.tracing.server_spans import ServerSpans
    from stethoscope.middleware.layer import Layer
    from stethoscope.settings import Settings

_FOR_TRACES: Final = re.compile(r"OTEL_EXPORTER_OTLP_(?!METRICS_|LOGS_)")


def server_spans(layer: Layer, settings: Settings) -> ServerSpans | None:
    """What makes the spans, or None where tracing is off.

    With ``tracing`` None, it is on where a tracer provider is set up or the standard variables ask for
    one; with True always. OpenTelemetry that is missing though it is wanted makes one warning.
    """
    wanted = settings.tracing or is_asked_for(os.environ)
    if not (wanted or _is_set_up()):
        return None
    try:
        from stethoscope.exporters.tracing.provider import find_tracer
        from stethoscope.exporters.tracing.server_spans import ServerSpans
    except ImportError as error:
        if wanted:
            layer.recorder.warn_once(
                "tracing",
                "requests are not traced, although tracing or OTEL_… variables ask for it: %s. "
                "To install what is missing: pip install 'stethoscope[otlp]'",
                error,
            )
        return None
    tracer = find_tracer(layer.recorder, wanted=wanted)
    return None if tracer is None else ServerSpans(layer, settings, tracer)


def _is_set_up() -> bool:
    """Whether the app has a tracer provider. Frameworks import the API also where there is none; then the SDK is not imported."""
    if "opentelemetry.trace" not in sys.modules:
        return False
    from opentelemetry.trace import ProxyTracerProvider, get_tracer_provider

    return not isinstance(get_tracer_provider(), ProxyTracerProvider)


def is_asked_for(environ: Mapping[str, str]) -> bool:
    """Whether the standard variables want traces exported (OpenTelemetry SDK, "Environment variables").

    By ``OTEL_TRACES_EXPORTER``, or without it by any ``OTEL_EXPORTER_OTLP_…`` that is not for another signal.
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporters:
        return exporters != "none"
    return any(value and _FOR_TRACES.match(name) for name, value in environ.items())
