"""What a sampler will say of a request, without asking it where it is one of the SDK's own.

Those decide by what parent there is, and by the low 64 bits of the trace ID, which are uniform: sampled
is what is below a bound (`TraceIdRatioBased` of opentelemetry-sdk). Asking takes a context, a
result and three mappings, on each request; comparing two numbers does not.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, StaticSampler, TraceIdRatioBased

ALWAYS: Final = 1 << 64
LOW: Final = ALWAYS - 1


class Odds(NamedTuple):
    """Bounds below which a trace ID's low 64 bits are sampled. None: only the sampler itself can say."""

    root: int | None = None
    parent_sampled: int | None = None
    parent_unsampled: int | None = None


def odds_of(sampler: object) -> Odds:
    """For roots, and for children of remote parents."""
    if getattr(type(sampler), "should_sample", None) is not ParentBased.should_sample:
        bound = _bound(sampler)
        return Odds(bound, bound, bound)
    # There is no public way to its delegates; where they are not found the sampler is asked.
    return Odds(
        _bound(getattr(sampler, "_root", None)),
        _bound(getattr(sampler, "_remote_parent_sampled", None)),
        _bound(getattr(sampler, "_remote_parent_not_sampled", None)),
    )


def _bound(sampler: object) -> int | None:
    decide = getattr(type(sampler), "should_sample", None)  # a subclass may have its own
    if decide is StaticSampler.should_sample and isinstance(sampler, Sampler):
        decision = sampler.should_sample(None, 1, "").decision
        return {Decision.RECORD_AND_SAMPLE: ALWAYS, Decision.DROP: 0}.get(decision)
    if decide is TraceIdRatioBased.should_sample and isinstance(sampler, TraceIdRatioBased):
        return sampler.bound
    return None
