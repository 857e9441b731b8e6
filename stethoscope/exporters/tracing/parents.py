"""What a request's headers say of its parent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import Getter, TextMapPropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Headers = Iterable[tuple[bytes, bytes]]

# W3C Trace Context, level 2, section 3.2: version, trace ID, parent ID, flags. Version 00 ends here.
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{16}([0-9a-f]{16})-(?!0{16})[0-9a-f]{16}-[0-9a-f]([0-9a-f])(-.*)?",
    re.DOTALL,
)
_LONGEST: Final = 512
W3C: Final = frozenset((b"traceparent", b"tracestate", b"baggage"))


class Parent(NamedTuple):
    """As far as a sampler asks: the low 64 bits of the trace ID, and whether the parent is sampled."""

    low: int
    sampled: bool


def w3c_parent(headers: Headers) -> Parent | None:
    """The parent that a valid ``traceparent`` names. Of several none is valid, as the conformance tests have it."""
    values = [value for name, value in headers if name == b"traceparent"]
    if len(values) != 1 or len(values[0]) > _LONGEST:
        return None
    found = _TRACEPARENT.fullmatch(values[0].strip(b" \t"))
    if found is None or (found[1] == b"00" and found[4]):
        return None
    return Parent(int(found[2], 16), bool(int(found[3], 16) & 1))


def is_w3c(propagator: TextMapPropagator) -> bool:
    """Whether a propagator reads W3C's headers only, as `w3c_parent` does."""
    if type(propagator) is CompositePropagator:
        # There is no public way to its parts; where they are not found it is another propagator.
        parts = getattr(propagator, "_propagators", ())
        return all(is_w3c(part) for part in parts) and any(
            type(part) is TraceContextTextMapPropagator for part in parts
        )
    return type(propagator) in (TraceContextTextMapPropagator, W3CBaggagePropagator)


class _HeadersGetter(Getter[Headers]):
    """Reads an ASGI scope's headers for any propagator."""

    def get(self, carrier: Headers, key: str) -> list[str] | None:
        wanted = key.lower().encode("latin-1")
        values = [value.decode("latin-1") for name, value in carrier if name == wanted]
        if wanted == b"traceparent" and len(values) > 1:
            return None
        if wanted == b"baggage" and values:  # its propagator reads one header only
            return [",".join(values)]
        return values or None

    def keys(self, carrier: Headers) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier]


HEADERS_GETTER: Final = _HeadersGetter()
