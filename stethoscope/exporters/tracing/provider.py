"""The tracer provider: the user's, or one that is made here from the standard variables."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.trace import (
    NoOpTracer,
    NoOpTracerProvider,
    ProxyTracerProvider,
    Tracer,
    get_tracer_provider,
    set_tracer_provider,
)

from stethoscope.exporters.tracing.batches import Batches, Limits
from stethoscope.exporters.tracing.conventions import SCHEMA_URL
from stethoscope.exporters.tracing.joining import watch

if TYPE_CHECKING:
    from stethoscope.store.recorder import Recorder

_PROTOCOLS: Final = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}


def find_tracer(recorder: Recorder, *, wanted: bool) -> Tracer | None:
    """A tracer of the global provider, which is made if it is ``wanted`` and nobody has; None where tracing is off."""
    provider = get_tracer_provider()
    if isinstance(provider, ProxyTracerProvider):
        if not wanted:
            return None
        made = _make(recorder)
        if made is None:
            return None
        set_tracer_provider(made)
        provider = get_tracer_provider()  # another thread may have been first
    tracer = provider.get_tracer("stethoscope", _own_version(), schema_url=SCHEMA_URL)
    if isinstance(provider, NoOpTracerProvider) or isinstance(tracer, NoOpTracer):
        return None
    watch(provider)
    return tracer


def _make(recorder: Recorder) -> TracerProvider | None:
    """The SDK's provider, with its sampler and limits as the variables say, sending in batches to each exporter."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: recorder.service}))
    for name in exporter_names():
        kind = _exporter_class(name)
        if kind is None:
            recorder.warn_once(
                f"exporter {name}",
                "traces are not exported to %r: no exporter of that name is installed; for OTLP: pip install 'stethoscope[otlp]'",
                name,
            )
            continue
        provider.add_span_processor(Batches(kind, recorder, Limits.from_environment(os.environ)))
    return provider


def exporter_names() -> list[str]:
    """Entry points that ``OTEL_TRACES_EXPORTER`` asks for; OTLP over what ``OTEL_EXPORTER_OTLP_PROTOCOL`` says."""
    names = [name.strip() for name in (os.environ.get("OTEL_TRACES_EXPORTER") or "otlp").split(",")]
    return [_otlp() if name == "otlp" else name for name in names if name not in ("", "none")]


def _otlp() -> str:
    protocol = (
        os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        or "http/protobuf"  # the specification's default
    ).strip()
    return _PROTOCOLS.get(protocol, protocol)


def _exporter_class(name: str) -> type[SpanExporter] | None:
    try:
        for found in entry_points(group="opentelemetry_traces_exporter", name=name):
            loaded: type[SpanExporter] = found.load()
            return loaded
    except ImportError:
        pass
    return None


def _own_version() -> str:
    try:
        return version("stethoscope")
    except PackageNotFoundError:  # run from a checkout
        return ""
