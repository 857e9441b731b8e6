"""The observer that makes server spans.

At arrival it is decided whether the request is sampled, as the provider's sampler would, and a context is
attached in which the span is made when it is wanted (`stethoscope.exporters.tracing.pending`). When
the request has been recorded the span is made at the latest, completed and ended. Of a request that is
not sampled nothing is made, unless it was slow or failed: then it gets a span after all, with the
attribute ``stethoscope.sampling.kept``.

What it costs: ``python -m benchmarks tracing``.
"""

from __future__ import annotations

import math
from contextvars import ContextVar, Token
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Final, cast

from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.propagate import get_global_textmap
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode, Tracer, get_current_span

from stethoscope import hot
from stethoscope.exporters.database_errors import message_of, stacktrace_of
from stethoscope.exporters.tracing.batches import flush
from stethoscope.exporters.tracing.conventions import KEPT, REQUEST_ID, Attributes, Conventions, missing
from stethoscope.exporters.tracing.joining import has_inside
from stethoscope.exporters.tracing.makers import Identity, maker_for
from stethoscope.exporters.tracing.odds import ALWAYS, LOW, Odds
from stethoscope.exporters.tracing.parents import HEADERS_GETTER, W3C, is_w3c, w3c_parent
from stethoscope.exporters.tracing.pending import Pending
from stethoscope.exporters.tracing.query_spans import QuerySpans
from stethoscope.names import REQUEST_DURATION
from stethoscope.store.exemplars import Exemplars

if TYPE_CHECKING:
    from stethoscope.middleware.exchange import Exchange
    from stethoscope.middleware.layer import Layer
    from stethoscope.settings import Settings

clock = perf_counter
"""Seconds, as ``Exchange.started`` has them."""

_new: Final = Pending.__new__
_TELLING: Final = (*W3C, b"x-request-id", b"x-correlation-id")
"""Headers without which a request begins a trace, under an ID that was made here."""
_LEFT: Final = ("client_disconnect", "cancelled")
"""Values of ``error.type`` that say nobody waited for the answer any more."""


@hot.quicken
class ServerSpans(hot.Spans):
    """For all requests of one layer. Any thread and event loop; nothing is waited for.

    ``_hot.c`` has `started`, `ended` and `left` once more, for requests that are not sampled: those that begin a trace, and
    those with a plain ``traceparent``.
    """

    _var: ContextVar[Context] | None
    _budget: float
    _bound_of_fresh: bytes | None
    """Below it, as hexadecimal digits, a trace that begins here is sampled; None where that is not all there is to know."""
    _bound_of_sampled: bytes | None
    """The same for children of parents that are sampled."""
    _bound_of_unsampled: bytes | None

    def __init__(self, layer: Layer, settings: Settings, tracer: Tracer) -> None:
        self._layer = layer
        self._conventions = Conventions(query_strings=settings.query_strings)
        budget = settings.thresholds.request_p95
        self._budget = budget.warn or budget.critical or math.inf
        self._maker = maker_for(tracer)
        self.queries = QuerySpans(tracer)
        self._propagator = get_global_textmap()
        self._reads_w3c = is_w3c(self._propagator)
        self._var = _context_variable()
        self._exemplars = Exemplars(layer.recorder)
        self._gives_way = has_inside(layer.app)
        plain = self._reads_w3c and self._maker.takes_ids and not self._gives_way
        odds = self._maker.odds if plain else Odds()
        self._bound_of_fresh = _digits(odds.root)
        self._bound_of_sampled, self._bound_of_unsampled = _digits(odds.parent_sampled), _digits(odds.parent_unsampled)
        self._tells_trace = "traceresponse" in settings.headers
        if self._tells_trace:
            layer.more_headers = self.response_headers

    # What an observer is told.

    def started(self, exchange: Exchange) -> None:
        var = self._var
        ambient = get_current() if var is None else var.get()
        headers = exchange.scope["headers"]
        if (
            var is not None
            and self._bound_of_fresh is not None
            and not ambient
            and type(headers) is list
            and hot.value_of(headers, _TELLING) is None
        ):
            # Without a constructor, which would be as costly as all of this.
            pending = _new(Pending)
            pending.spans = self
            pending.scope = exchange.scope
            pending.request_id = pending.root_id = request_id = exchange.id
            pending.started = exchange.started
            pending.sampled = request_id[16:] < self._bound_of_fresh
            exchange.trace = pending
            pending.token = var.set(pending)
            return
        exchange.trace = pending = self._arrival(exchange, ambient)
        pending.ambient = ambient
        if pending.joined is not None:
            pending.token = None
        else:
            pending.token = attach(pending) if var is None else var.set(pending)

    def ended(self, exchange: Exchange, status: int, seconds: float, exception: BaseException | None) -> None:
        pending = exchange.trace
        if type(pending) is not Pending:
            return
        if pending.sampled is False or not pending.is_sampled:
            if pending.joined is INVALID_SPAN:
                # Left to a layer inside, which has not recorded it, under IDs that it alone knows, or was told to leave it out.
                return
            if seconds > self._budget or (exchange.error and exchange.error != "client_disconnect"):
                self._keep(pending, exchange, status, seconds, exception)
            return
        if pending.joined is not None:
            self._complete(pending.joined, exchange, exchange.route, status)
        else:
            self._finish(pending, exchange, status, seconds, exception)
        if span := pending.joined or pending.span:
            # The trace in which durations of this bucket can be looked into.
            context = span.get_span_context()
            labels = exchange.labels(status)
            self._exemplars.add(REQUEST_DURATION, labels, seconds, context.trace_id, context.span_id)

    def left(self, exchange: Exchange) -> None:
        pending = exchange.trace
        if type(pending) is not Pending or pending.token is None:
            return
        if self._var is None:
            detach(pending.token)
            return
        try:
            self._var.reset(pending.token)
        except ValueError:  # in another context than the one it ran in: a generator that was closed
            pass

    def close(self, seconds: float) -> None:
        """The app has shut down: send what waits, if it is we who send."""
        flush(seconds)

    # What the layer and `Pending` ask for

    def response_headers(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        """``traceresponse`` (W3C Trace Context, level 2 draft, section 4), if it is asked for."""
        pending = exchange.trace
        if type(pending) is not Pending:
            return []
        if pending.joined is not None:
            self._complete(pending.joined, exchange, exchange.route_by_now() or None)
        if not self._tells_trace:
            return []
        context = pending.span_context()
        value = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}"
        return [(b"traceresponse", value.encode())] if context.is_valid else []

    def parent_of(self, pending: Pending) -> Context:
        # Where another layer's span is joined, its parent is ours.
        ambient = (pending.ambient if pending.joined is None else None) or Context()
        return self._propagator.extract(pending.scope["headers"], ambient, HEADERS_GETTER)

    def make(self, pending: Pending, parent: Context, name: str | None, attributes: Attributes | None) -> Span:
        """The span of a request, as the sampler wants it; made as known at its arrival if nothing else is said."""
        if attributes is None:
            attributes = (
                {} if pending.sampled is False else self._conventions.at_start(pending.scope, pending.request_id)
            )
        name = name or self._conventions.name(pending.scope, None)
        span = self._maker.start(name, parent, attributes, _began(pending), Identity(pending.begun_id()))
        if pending.sampled is None:
            pending.sampled = span.is_recording()
        return span

    def failed(self, error: Exception) -> None:
        self._layer.failed(error)

    # How it begins

    def _arrival(self, exchange: Exchange, ambient: Context) -> Pending:
        """Where something is said of a parent, or the ID came with the request, or the trace needs an ID of another kind."""
        if self._gives_way:
            return self._pending(exchange, False, joined=INVALID_SPAN)
        around = get_current_span(ambient)
        context = around.get_span_context()
        if context.is_valid and not context.is_remote:
            return self._inside(exchange, around)
        if not self._reads_w3c or context.is_valid:
            return self._pending(exchange, None)
        odds, parent = self._maker.odds, w3c_parent(exchange.scope["headers"])
        if parent is not None:
            bound, low, trace_id = odds.parent_sampled if parent.sampled else odds.parent_unsampled, parent.low, 0
        else:
            begins = self._maker.takes_ids and hot.value_of(exchange.scope["headers"], _TELLING) is None
            trace_id = int(exchange.id, 16) if begins else self._maker.new_trace_id()
            bound, low = odds.root, trace_id & LOW
        return self._pending(exchange, None if bound is None else low < bound, trace_id)

    def _inside(self, exchange: Exchange, around: Span) -> Pending:
        """Within a local span: the server span of another layer, or that of a client in this very process."""
        recording = around.is_recording()
        if recording and getattr(around, "kind", SpanKind.SERVER) is not SpanKind.SERVER:
            return self._pending(exchange, None)
        # It may end with the last message, before we are told: so it is told of the route when the response starts.
        self._layer.more_headers = self.response_headers
        return self._pending(exchange, recording, joined=around)

    def _pending(
        self, exchange: Exchange, sampled: bool | None, root_id: int = 0, joined: Span | None = None
    ) -> Pending:
        pending = _new(Pending)
        pending.spans, pending.scope = self, exchange.scope
        pending.request_id, pending.started = exchange.id, exchange.started
        pending.sampled, pending.root_id, pending.joined = sampled, root_id, joined
        return pending

    # How it ends

    def _finish(
        self, pending: Pending, exchange: Exchange, status: int, seconds: float, exception: BaseException | None
    ) -> None:
        name = self._conventions.name(exchange.scope, exchange.route)
        told = self._conventions.at_end(exchange, exchange.route, status)
        if pending.span is None:
            pending.fill(name, self._conventions.at_start(pending.scope, pending.request_id) | told)
        else:
            pending.span.update_name(name)
            pending.span.set_attributes(told)
        if pending.span is not None:
            _end(pending.span, exchange, status, seconds, exception)

    def _complete(self, joined: Span, exchange: Exchange, route: str | None, status: int = 0) -> None:
        """Tell another layer's span what it does not say yet. Where it has ended by now, nothing can be done."""
        if not joined.is_recording():
            return
        present = getattr(joined, "attributes", None) or {}
        told = self._conventions.at_end(exchange, route, status) if status else self._conventions.of_route(route)
        told = missing(told | {REQUEST_ID: exchange.request_id}, present)
        if "http.route" in told:
            joined.update_name(self._conventions.name(exchange.scope, route))
        joined.set_attributes(told)

    def _keep(
        self, pending: Pending, exchange: Exchange, status: int, seconds: float, exception: BaseException | None
    ) -> None:
        """A span that takes the place of the one that nobody records, under its IDs."""
        told = self._conventions.at_start(pending.scope, pending.request_id) | self._conventions.at_end(
            exchange, exchange.route, status
        )
        told[KEPT] = "error" if exchange.error else "slow"
        name, parent = self._conventions.name(exchange.scope, exchange.route), self.parent_of(pending)
        unrecorded = pending.joined or pending.span
        identity = Identity(pending.begun_id())
        if unrecorded is not None:
            context = unrecorded.get_span_context()
            identity = Identity(context.trace_id, context.span_id)
        span = self._maker.keep(name, parent, told, _began(pending), identity)
        if span is not None:
            _end(span, exchange, status, seconds, exception)


def _context_variable() -> ContextVar[Context] | None:
    """The variable that OpenTelemetry's current context is in; None where another implementation of contexts was chosen."""
    token: object = attach(get_current())
    detach(token)  # type: ignore[arg-type]
    return token.var if isinstance(token, Token) else None


def _digits(bound: int | None) -> bytes | None:
    """A bound to compare with digits of IDs; one that is above all."""
    if bound is None:
        return None
    return b"%016x" % bound if bound < ALWAYS else b"g"


def _began(pending: Pending) -> int:
    return time_ns() - round((clock() - pending.started) * 1e9)


def _end(span: Span, exchange: Exchange, status: int, seconds: float, exception: BaseException | None) -> None:
    failed = exception is not None and exchange.error not in _LEFT
    if failed:
        raised = cast("BaseException", exception)
        told = {"exception.message": message_of(raised), "exception.stacktrace": stacktrace_of(raised)}
        span.record_exception(raised, told)
    if failed or status >= 500:  # a 4xx is the client's mistake: the conventions leave its status unset
        span.set_status(Status(StatusCode.ERROR))
    began = getattr(span, "start_time", None)
    span.end(None if began is None else began + round(seconds * 1e9))


hot.trace(Pending, Context)
