"""The OpenTelemetry context that an app runs in while it serves a request; its span is made when somebody wants it.

Most requests are not sampled, and in most of those nobody asks for the current span. So what is attached
is a context that is empty until it is looked into. Then it holds what it would have held from the start:
the parent that the request came with, its baggage, and the server span.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from contextvars import Token
from typing import TYPE_CHECKING, Final

from opentelemetry.context import Context, get_current
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Span,
    SpanContext,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)

from stethoscope import hot
from stethoscope.store.lock import ReentrantLock

if TYPE_CHECKING:
    from stethoscope.asgi import Scope
    from stethoscope.exporters.tracing.conventions import Attributes
    from stethoscope.exporters.tracing.server_spans import ServerSpans

_MAKING: Final = "_making"
"""Under which name a context has a lock of its own, held while it is filled.

Re-entrant: a sampler or a processor may look at the current context meanwhile. Not one for all: a sampler may log, and
wait for a handler whose formatter is asking for the current span of another request.
"""


class Pending(hot.Pending, Context):
    """The context of one request, and what tracing knows of it. Any thread. `ServerSpans` sets what is in slots."""

    __slots__ = ()

    # Not the exchange itself, which carries this: the two would be left to the garbage collector, on each request.
    spans: ServerSpans
    scope: Scope
    request_id: bytes
    root_id: bytes | int
    """The trace ID where the trace begins here, as hexadecimal digits or a number; 0 where it does not."""
    started: float
    sampled: bool | None
    """None while only the sampler could say."""
    token: Token[Context] | None
    # In no slot, so that they need not be set on each request.
    ambient: Context | None = None
    """What was current before, if that was anything."""
    span: Span | None = None
    joined: Span | None = None
    """Another layer's server span for this request."""
    _begun = False
    _filled = False

    def fill(self, name: str | None = None, attributes: Attributes | None = None) -> None:
        """Make the span, unless it is made: with what is known at the end of the request, else at its start.

        Raises nothing: without a span, the parent stays the current one.
        """
        with self.__dict__.setdefault(_MAKING, ReentrantLock()):  # in one step, whichever thread comes first
            if self._begun:
                return
            self._begun = True
            failure = self._make(name, attributes)
        if failure is not None:
            # Not under the lock: a log handler may ask for the current span, and have another thread wait that asks too.
            self.spans.failed(failure)

    def _make(self, name: str | None, attributes: Attributes | None) -> Exception | None:
        try:
            parent = self.spans.parent_of(self)
            dict.update(self, parent)
            self.span = span = self.spans.make(self, parent, name, attributes)
            dict.update(self, set_span_in_context(span, parent))
        except Exception as error:
            return error
        finally:
            self._filled = True
        return None

    def begun_id(self) -> int:
        """The ID of a trace that begins here, else 0."""
        root = self.root_id
        return root if isinstance(root, int) else int(root, 16)

    def can_join(self) -> bool:
        """Whether a server span that starts now is another layer's, and the only one for this request."""
        return not self._begun and (self.joined is None or not self.joined.is_recording())

    def span_context(self) -> SpanContext:
        """Of the span that the calling code is in, else of the server span, made if need be. Invalid if there is none."""
        current = get_current()
        if current is not self:
            inner = get_current_span(current).get_span_context()
            if inner.is_valid:
                return inner
        if self.joined is None:
            self.fill()
        span = self.joined or self.span
        return INVALID_SPAN_CONTEXT if span is None else span.get_span_context()

    @property
    def trace_id(self) -> str:
        """See `stethoscope.current.Trace`."""
        if self.joined is None and (begun := self.begun_id()):
            return format_trace_id(begun)
        context = self.span_context()
        return format_trace_id(context.trace_id) if context.is_valid else ""

    @property
    def is_sampled(self) -> bool:
        if self.sampled is None:
            self.fill()
        return bool(self.sampled)

    def add_query(
        self, system: str, operation: str, collection: str, text: str, seconds: float, error: str, context: object
    ) -> None:
        """See `stethoscope.current.Trace`."""
        if self.is_sampled:
            self.spans.queries.add(system, operation, collection, text, seconds, error, context)

    # What a mapping is looked into by: filled first.

    def _full(self) -> dict[str, object]:
        if not self._filled:
            self.fill()
        return self

    def get(self, key: str, default: object = None) -> object:
        return dict.get(self._full(), key, default)

    def __getitem__(self, key: str) -> object:
        return dict.__getitem__(self._full(), key)

    def __contains__(self, key: object) -> bool:
        return dict.__contains__(self._full(), key)

    def __iter__(self) -> Iterator[str]:
        return dict.__iter__(self._full())

    def __len__(self) -> int:
        return dict.__len__(self._full())

    def keys(self) -> KeysView[str]:  # type: ignore[override]  # dict_keys cannot be named
        return dict.keys(self._full())

    def values(self) -> ValuesView[object]:  # type: ignore[override]
        return dict.values(self._full())

    def items(self) -> ItemsView[str, object]:  # type: ignore[override]
        return dict.items(self._full())

    def copy(self) -> dict[str, object]:
        return dict.copy(self._full())

    def __bool__(self) -> bool:
        return True
