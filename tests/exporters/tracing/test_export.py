"""Spans of real servers' workers, as real OTLP receivers get them."""

from __future__ import annotations

from typing import get_args

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.receivers.otlp import Protocol, SpansCollector, spans, told
from tests.servers import Kind, serve

APP = "tests.apps.starlette_app:app"


def environment(received: SpansCollector, **more: str) -> dict[str, str]:
    return {**received.environment, "OTEL_BSP_SCHEDULE_DELAY": "50", **more}


@pytest.mark.parametrize("protocol", get_args(Protocol))
def test_standard_variables_are_all_that_is_needed(protocol: Protocol) -> None:
    with spans(protocol) as received:
        variables = environment(received, OTEL_SERVICE_NAME="shop")
        with serve("uvicorn", APP, env=variables) as server:
            httpx.get(f"{server.url}/items/7?token=secret", headers={"user-agent": "tests"})
            httpx.get(f"{server.url}/boom/1")
            item, boom = sorted(received.spans(2), key=lambda span: span.start_time_unix_nano)
    assert (item.name, item.kind) == ("GET /items/{number}", Span.SPAN_KIND_SERVER)
    attributes = told(item.attributes)
    assert attributes.pop("stethoscope.request.id") == item.trace_id.hex()
    assert attributes == {
        "http.request.method": "GET",
        "http.route": "/items/{number}",
        "http.response.status_code": 200,
        "http.response.body.size": 2,
        "url.path": "/items/7",
        "url.scheme": "http",
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "client.address": "127.0.0.1",
        "user_agent.original": "tests",
        "network.protocol.version": "1.1",
    }
    assert item.status.code == Status.STATUS_CODE_UNSET
    assert boom.status.code == Status.STATUS_CODE_ERROR
    assert told(boom.attributes)["error.type"] == "KeyError"
    assert told(boom.events[0].attributes)["exception.type"] == "KeyError"
    assert received.resources()[0]["service.name"] == "shop"


@pytest.mark.parametrize("kind", ["uvicorn", "gunicorn-preload"])
def test_each_request_is_exported_once_whichever_worker_serves_it(kind: Kind) -> None:
    with spans() as received:
        with serve(kind, APP, workers=2, env=environment(received)) as server:
            with httpx.Client() as client:
                ids = {
                    client.get(server.url, headers={"connection": "close"}).headers["x-request-id"] for _ in range(40)
                }
            received.spans(40)
            server.stop()
        arrived = received.spans()
    assert sorted(span.trace_id.hex() for span in arrived) == sorted(ids)


@pytest.mark.parametrize("kind", ["uvicorn", "gunicorn", "hypercorn"])
def test_what_ended_before_the_server_is_sent_while_it_ends(kind: Kind) -> None:
    with spans() as received:
        with serve(kind, APP, env=environment(received, OTEL_BSP_SCHEDULE_DELAY="60000")) as server:
            httpx.get(server.url)
            assert received.attempts == 0
            server.stop()
        assert len(received.spans()) == 1
