"""A collector in trouble: the app does not notice, what is lost is counted and told once, and the process ends in time.

How fast a request is answered is compared with a healthy collector, as a ratio within one test.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from stethoscope.exporters.tracing.batches import Batches, Limits
from stethoscope.store.recorder import Recorder
from tests.receivers.inbox import HALF, Answer
from tests.receivers.otlp import spans
from tests.receivers.troubles import TROUBLES, Trouble, down, ends_in_time, hanging, lost, slowdown
from tests.scrape import TOKEN
from tests.servers import HOST, free_port, serve

APP = "tests.apps.starlette_app:app"
REQUESTS = 80
QUEUE = 20
BATCH = 10


def environment(endpoint: str, place: Path, **more: str) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "20",
        "OTEL_BSP_MAX_QUEUE_SIZE": str(QUEUE),
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": str(BATCH),
        "STETHOSCOPE_TOKEN": TOKEN,
        "STETHOSCOPE_DIR": str(place),
        **more,
    }


def ask(client: httpx.Client) -> str:
    answer = client.get("/items/1")
    assert answer.status_code == 200
    return answer.headers["x-request-id"]


def url(port: int) -> str:
    return f"http://{HOST}:{port}"


@pytest.mark.parametrize("trouble", TROUBLES)
def test_app_is_as_fast_losses_are_counted_and_told_once_and_it_ends_in_time(trouble: str, tmp_path: Path) -> None:
    with spans() as healthy, TROUBLES[trouble]() as port:
        with (
            serve("uvicorn", APP, env=environment(healthy.endpoint, tmp_path / "well")) as well,
            serve("uvicorn", APP, env=environment(url(port), tmp_path / "ill")) as ill,
        ):
            assert slowdown(ill, well, ask, REQUESTS) < 1.5
            # What is not lost yet waits: in the queue, or in the batch that is under way.
            counted = lost(ill, "traces", 3 * REQUESTS - QUEUE - BATCH)
            assert sum(counted.values()) <= 3 * REQUESTS
            log = ill.log()
            assert ends_in_time(ill)
    assert len(re.findall("spans are lost", log)) <= len(counted)
    assert "Traceback" not in log
    assert "opentelemetry" not in log


@pytest.mark.parametrize("trouble", [down, hanging])
def test_grpc_ends_in_time_too(trouble: Trouble, tmp_path: Path) -> None:
    with trouble() as port:
        variables = environment(url(port), tmp_path, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
        with serve("uvicorn", APP, env=variables) as server:
            with httpx.Client(base_url=server.url) as client:
                for _ in range(REQUESTS):
                    ask(client)
            assert ends_in_time(server)


def test_exports_resume_by_themselves_and_each_span_has_arrived_or_is_counted(tmp_path: Path) -> None:
    """The exporter gives up what got half an answer, and retries what was refused for a while."""
    with spans(first=(HALF, Answer(503), Answer(429, retry_after="1"))) as received:
        variables = environment(received.endpoint, tmp_path, OTEL_BSP_MAX_QUEUE_SIZE="2048")
        with serve("uvicorn", APP, env=variables) as server:
            with httpx.Client(base_url=server.url) as client:
                ids = {ask(client) for _ in range(30)}
            received.wait_for_attempts(4)
            given_up = int(lost(server, "traces").get("not_delivered", 0))
            arrived = {span.trace_id.hex() for span in received.spans(len(ids) - given_up)}
    assert 0 < given_up <= BATCH
    assert arrived < ids
    assert len(arrived) == len(ids) - given_up


def test_collector_that_dies_and_comes_back_gets_what_comes_then(tmp_path: Path) -> None:
    port = free_port()
    with (
        serve("uvicorn", APP, env=environment(url(port), tmp_path)) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        with spans(port=port) as first:
            ask(client)
            assert first.spans(1)
        ask(client)
        with spans(port=port) as second:
            while not second.spans(1, seconds=0.1):
                ask(client)


def test_no_secret_of_an_endpoint_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            raise ValueError("no adapter for 'ftp://somebody:SECRET@host/v1/traces?api-key=SECRET'")

    provider = TracerProvider()
    provider.add_span_processor(Batches(Failing, Recorder("shop", lambda: None), Limits()))
    provider.get_tracer("test").start_span("one").end()
    provider.shutdown()
    assert "no adapter for 'ftp://host/v1/traces'" in caplog.text
    assert "SECRET" not in caplog.text
