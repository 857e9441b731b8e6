"""Spans of database operations, made when they have ended (OpenTelemetry semantic conventions 1.37, "Database client spans")."""

from __future__ import annotations

import sys
from time import time_ns

from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer


class QuerySpans:
    """Children of the span that is current where an operation ends. Any thread.

    Silent where opentelemetry-instrumentation-sqlalchemy makes such spans: it refuses to where it does not
    know the installed SQLAlchemy.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def add(self, system: str, operation: str, collection: str, text: str, seconds: float, error: str) -> None:
        if _is_told_by_contrib():  # which may have been switched on since
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


def _is_told_by_contrib() -> bool:
    module = sys.modules.get("opentelemetry.instrumentation.sqlalchemy")
    instrumentor = getattr(module, "SQLAlchemyInstrumentor", None)
    return instrumentor is not None and bool(instrumentor().is_instrumented_by_opentelemetry)
