"""Who makes spans: the SDK's tracer with the IDs that we give, or any other tracer of the API as it is."""

from __future__ import annotations

import copy
import threading
from typing import Final, Protocol

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Tracer as SDKTracer
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Span, SpanKind, Tracer

from stethoscope.exporters.tracing.conventions import Attributes
from stethoscope.exporters.tracing.odds import Odds, odds_of


class Identity:
    """IDs that a span is to have; 0 for one that is to be made."""

    __slots__ = ("span_id", "trace_id")

    def __init__(self, trace_id: int = 0, span_id: int = 0) -> None:
        self.trace_id = trace_id
        self.span_id = span_id


class Maker(Protocol):
    """Makes server spans. Any thread."""

    odds: Odds
    takes_ids: bool
    """Whether a trace can have 128 random bits of ours for its ID."""

    def new_trace_id(self) -> int:
        """For a trace that begins here; 0 where its span only will have one."""

    def start(self, name: str, parent: Context, attributes: Attributes, began_ns: int, identity: Identity) -> Span:
        """As the sampler decides."""

    def keep(
        self, name: str, parent: Context, attributes: Attributes, began_ns: int, identity: Identity
    ) -> Span | None:
        """Whatever the sampler says, where that is possible."""


def maker_for(tracer: Tracer) -> Maker:
    return SDKMaker(tracer) if isinstance(tracer, SDKTracer) else AnyMaker(tracer)


class AnyMaker:
    """For a provider that is not the SDK's, of which nothing is known but the API."""

    takes_ids = False

    def __init__(self, tracer: Tracer) -> None:
        self.odds = Odds()
        self._tracer = tracer

    def new_trace_id(self) -> int:
        return 0

    def start(self, name: str, parent: Context, attributes: Attributes, began_ns: int, identity: Identity) -> Span:
        return self._tracer.start_span(name, parent, SpanKind.SERVER, attributes, start_time=began_ns)

    def keep(
        self, name: str, parent: Context, attributes: Attributes, began_ns: int, identity: Identity
    ) -> Span | None:
        return None


class SDKMaker:
    """For the SDK's tracer: its sampler's odds are known, and a span can have an ID that is in logs already."""

    def __init__(self, tracer: SDKTracer) -> None:
        self.odds = odds_of(tracer.sampler)
        self._registered = tracer
        self._ids = _GivenIds(tracer.id_generator)
        self.takes_ids = type(tracer.id_generator) is RandomIdGenerator
        # Copies, because the provider gives the same tracer to whoever asks for the same name.
        self._tracer = copy.copy(tracer)
        self._tracer.id_generator = self._ids
        self._keeping = copy.copy(self._tracer)
        self._keeping.sampler = ALWAYS_ON

    def new_trace_id(self) -> int:
        return self._ids.generate_trace_id()

    def start(self, name: str, parent: Context, attributes: Attributes, began_ns: int, identity: Identity) -> Span:
        return self._start(self._tracer, name, parent, attributes, began_ns, identity)

    def keep(
        self, name: str, parent: Context, attributes: Attributes, began_ns: int, identity: Identity
    ) -> Span | None:
        return self._start(self._keeping, name, parent, attributes, began_ns, identity)

    def _start(
        self,
        tracer: SDKTracer,
        name: str,
        parent: Context,
        attributes: Attributes,
        began_ns: int,
        identity: Identity,
    ) -> Span:
        tracer.resource = self._registered.resource  # a fork changes it
        self._ids.given.identity = identity
        try:
            return tracer.start_span(name, parent, SpanKind.SERVER, attributes, start_time=began_ns)
        finally:
            self._ids.given.identity = _NONE


_NONE: Final = Identity()


class _Given(threading.local):
    identity = _NONE


class _GivenIds(IdGenerator):
    """The IDs that were given in this thread, else those of the provider's own generator."""

    def __init__(self, inner: IdGenerator) -> None:
        self._inner = inner
        self.given = _Given()

    def generate_span_id(self) -> int:
        return self.given.identity.span_id or self._inner.generate_span_id()

    def generate_trace_id(self) -> int:
        return self.given.identity.trace_id or self._inner.generate_trace_id()

    def is_trace_id_random(self) -> bool:
        return self._inner.is_trace_id_random()
