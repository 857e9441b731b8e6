"""All cases of the oracle, by what they are about."""

from __future__ import annotations

from tests.transparency.cases import (
    callables,
    cancellation,
    context,
    errors,
    headers,
    lifespan,
    messages,
    requests,
    scope,
    streaming,
    suspension,
    websocket,
)

CASES = tuple(
    case
    for module in (
        callables,
        cancellation,
        context,
        errors,
        headers,
        lifespan,
        messages,
        requests,
        scope,
        streaming,
        suspension,
        websocket,
    )
    for case in module.collection.cases
)
