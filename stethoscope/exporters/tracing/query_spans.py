"""Spans of database operations, made when they have ended (OpenTelemetry semantic conventions 1.37, "Database client spans")."""

from __future__ import annotations

from time import time_ns

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer


class QuerySpans:
    """Children of the span that is current where an operation ends. Any thread.

    Silent where instrumentation is suppressed, and for operations that opentelemetry-instrumentation-sqlalchemy has made a
    span of: it may know some engines only, and refuses all where it does not know the installed SQLAlchemy.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def add(
        self, system: str, operation: str, collection: str, text: str, seconds: float, error: str, context: object
    ) -> None:
        if _is_told_by_contrib(context) or get_value(_SUPPRESS_INSTRUMENTATION_KEY):
            return
        ended = time_ns()
        told = {"db.system.name": system, "db.operation.name": operation, "db.query.text": text}
        if collection:
            told["db.collection.name"] = collection
        if error:
            told["error.type"] = error
        span = self._tracer.start_span(
            f"{operation} {collection}".rstrip(),
            kind=SpanKind.CLIENT,
            attributes=told,
            start_time=ended - round(seconds * 1e9),
        )
        if error:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended)


def _is_told_by_contrib(context: object) -> bool:
    # It leaves its span on SQLAlchemy's context of an execution, before that begins (`EngineTracer._before_cur_exec`).
    return getattr(context, "_otel_span", None) is not None
