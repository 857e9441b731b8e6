"""Server spans that other layers of the process make: completed with what only we know, instead of doubled.

outside of us     their span is current when the request arrives
inside of us      they are found in the app's stack, and then we make no span and no context. Their span starts
                  while the app runs, and a span processor of ours sees it
deeper inside     in a mounted app they are not found, but the processor sees their span all the same: ours
                  is then never made, as long as nobody has asked for the current span before
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from weakref import WeakSet

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind
from opentelemetry.trace import TracerProvider as AnyProvider

from stethoscope.current import CURRENT
from stethoscope.exporters.tracing.pending import Pending

_DEEPEST: Final = 32
_TELLING: Final = ("opentelemetry.instrumentation.asgi", "starlette.middleware.opentelemetry")

_watched: Final[WeakSet[AnyProvider]] = WeakSet()


class _Watcher(SpanProcessor):
    """Notes on the current request that another layer has begun a server span for it."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if span.kind is not SpanKind.SERVER:
            return
        current = CURRENT.get()
        pending = None if current is None else current.trace
        if isinstance(pending, Pending) and pending.can_join():
            pending.joined, pending.sampled = span, True


def watch(provider: AnyProvider) -> None:
    """Have the server spans of other layers noted, once for each provider that can be watched."""
    if isinstance(provider, TracerProvider) and provider not in _watched:
        _watched.add(provider)
        provider.add_span_processor(_Watcher())


def has_inside(app: object) -> bool:
    """Whether another layer in an app's stack makes the server spans, or leaves out what it was told to.

    opentelemetry-instrumentation-asgi (and -fastapi, -starlette, which use it), Starlette's middleware, or
    FastAPI's own telemetry.
    """
    return any(
        _is_telling(type(inner)) or _is_telling_fastapi(inner) or any(_is_telling(kind) for kind in _to_be_built(inner))
        for inner in _stack(app)
    )


def _is_telling(kind: object) -> bool:
    return getattr(kind, "__module__", "") in _TELLING


def _to_be_built(app: object) -> Iterator[object]:
    """Starlette builds its stack when the first request has come to it, which is too late for us."""
    return (getattr(one, "cls", None) for one in getattr(app, "user_middleware", None) or ())


def _is_telling_fastapi(app: object) -> bool:
    enabled = getattr(getattr(app, "_native_telemetry", None), "enabled", None)
    return callable(enabled) and bool(enabled())


def _stack(app: object) -> Iterator[object]:
    for _ in range(_DEEPEST):
        if app is None:
            return
        yield app
        app = getattr(app, "app", None) or getattr(app, "middleware_stack", None)
