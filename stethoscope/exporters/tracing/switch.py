"""Whether requests are traced: found out when the first one comes, as a provider may be set up after the app is made."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stethoscope.exporters.tracing.server_spans import ServerSpans
    from stethoscope.middleware.exchange import Exchange
    from stethoscope.middleware.layer import Layer
    from stethoscope.settings import Settings

_FOR_TRACES: Final = re.compile(r"OTEL_EXPORTER_OTLP_(?!METRICS_|LOGS_)")


class Tracing:
    """The observer in whose place `ServerSpans` come with the first request, or nothing.

    With ``tracing`` None, it is on where a tracer provider is set up or the standard variables ask for
    one; with True always. OpenTelemetry that is missing though it is wanted makes one warning.
    """

    def __init__(self, layer: Layer, settings: Settings) -> None:
        self._layer = layer
        self._settings = settings
        self._lock = Lock()
        self._spans: ServerSpans | None = None
        self._decided = False

    def started(self, exchange: Exchange) -> None:
        with self._lock:
            if not self._decided:
                self._decided = True
                self._layer.replace(self, self._decide())
        if self._spans is not None:
            self._spans.started(exchange)

    def ended(self, exchange: Exchange, status: int, seconds: float, exception: BaseException | None) -> None:
        """Never: the layer knows who has come instead."""

    def left(self, exchange: Exchange) -> None:
        """Never, as above."""

    def _decide(self) -> ServerSpans | None:
        wanted = self._settings.tracing or is_asked_for(os.environ)
        if not wanted and "opentelemetry.trace" not in sys.modules:
            return None
        try:
            from stethoscope.exporters.tracing.provider import find_tracer
            from stethoscope.exporters.tracing.server_spans import ServerSpans
        except ImportError as error:
            if wanted:
                self._layer.recorder.warn_once(
                    "tracing",
                    "requests are not traced, though tracing or OTEL_… variables ask for it: %s. "
                    "Install what is missing: pip install 'stethoscope[otlp]'",
                    error,
                )
            return None
        tracer = find_tracer(self._layer.recorder, wanted=wanted)
        if tracer is not None:
            self._spans = ServerSpans(self._layer, self._settings, tracer)
        return self._spans


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
