"""A request is counted once over OTLP, whoever else counts it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.otlp.served import REQUESTS
from tests.receivers.otlp import Push, metrics
from tests.servers import serve

OURS = "stethoscope"


def by_scope(received: Push) -> dict[str, set[str]]:
    """Names of the metrics of each instrumentation scope."""
    return {
        scope.scope.name: {metric.name for metric in scope.metrics}
        for resource in received.request.resource_metrics
        for scope in resource.scope_metrics
    }


@pytest.mark.parametrize(
    ("factory", "theirs"), [("native", "fastapi"), ("contrib", "opentelemetry.instrumentation.fastapi")]
)
def test_what_another_layer_sends_is_not_sent_by_us(factory: str, theirs: str, place: Path) -> None:
    with metrics("http/protobuf") as collector:
        env = {"STETHOSCOPE_DIR": str(place), "OTEL_SEMCONV_STABILITY_OPT_IN": "http", **collector.environment}
        app = f"tests.otlp.instrumented:{factory}"
        with serve("uvicorn", app, env=env, options=["--factory"]) as server:
            httpx.get(server.url + "/")
            collector.until(lambda received: REQUESTS in by_scope(received).get(theirs, set()))
            httpx.get(server.url + "/")
            ours = collector.until(lambda received: REQUESTS not in by_scope(received).get(OURS, {REQUESTS}))
            assert "http.server.active_requests" not in by_scope(ours)[OURS]
            assert "stethoscope.workers" in by_scope(ours)[OURS]
            seen = [by_scope(collector.next()) for _ in range(8)]
            assert not [scopes for scopes in seen if REQUESTS in scopes.get(OURS, set())]
            assert [scopes for scopes in seen if REQUESTS in scopes.get(theirs, set())]
