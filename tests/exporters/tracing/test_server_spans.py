"""Server spans: parents, sampling, what is kept, and what app and logs see meanwhile."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence

import pytest
from opentelemetry import baggage, trace
from opentelemetry.context import Context, get_current
from opentelemetry.propagate import inject
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    ParentBasedTraceIdRatio,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, SpanKind, StatusCode, TraceState
from opentelemetry.util.types import Attributes

from stethoscope import current, names
from stethoscope.asgi import Receive, Scope, Send
from stethoscope.middleware.logs import JSONFormatter, RequestIDFilter
from stethoscope.settings import Settings
from stethoscope.thresholds import Thresholds
from tests.exporters.tracing.spans import PARENT, TRACE, Traced, context, told, with_parent
from tests.middleware.scripted import DISCONNECT, Records, body, call, http_scope, plain, start

PATIENT = Settings(thresholds=Thresholds.resolve({"request_p95": (1000.0, 2000.0)}))
HASTY = Settings(thresholds=Thresholds.resolve({"request_p95": (1e-9, 1.0)}))


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("the app's")


def test_parent_is_the_one_in_the_headers_with_its_state_and_baggage(records: Records) -> None:
    traced, seen = Traced(), list[object]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with traced.tracer.start_as_current_span("query"):
            seen.append(baggage.get_baggage("customer"))
        await plain(scope, receive, send)

    traced.call(records, app, with_parent(tracestate=b"vendor=1", baggage=b"customer=7"))
    query, server = traced.spans()
    assert (server.kind, f"{context(server).trace_id:032x}") == (SpanKind.SERVER, TRACE)
    assert server.parent is not None
    assert f"{server.parent.span_id:016x}" == PARENT
    assert context(server).trace_state == TraceState([("vendor", "1")])
    assert query.parent == server.context
    assert seen == ["7"]


@pytest.mark.parametrize(
    "traceparent",
    [
        [f"00-{TRACE}-{PARENT}-01-more"],
        [f"ff-{TRACE}-{PARENT}-01"],
        [f"00-{'0' * 32}-{PARENT}-01"],
        [f"00-{TRACE}-{'0' * 16}-01"],
        [f"00-{TRACE.upper()}-{PARENT}-01"],
        [f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01"],
        ["01" * 300],
    ],
    ids=["more", "version", "trace", "parent", "case", "twice", "long"],
)
def test_trace_begins_here_where_the_header_is_not_valid(records: Records, traceparent: list[str]) -> None:
    traced = Traced()
    traced.call(records, plain, http_scope(headers=[(b"traceparent", one.encode()) for one in traceparent]))
    assert traced.span().parent is None


def test_trace_that_begins_here_has_the_request_id_made_here_but_none_that_a_client_made_up(records: Records) -> None:
    traced = Traced()
    made = traced.call(records, plain).values(b"x-request-id")[0].decode()
    traced.call(records, plain, http_scope(headers=[(b"x-request-id", TRACE.encode())]))
    first, second = traced.spans()
    assert f"{context(first).trace_id:032x}" == made == told(first)["stethoscope.request.id"]
    assert f"{context(second).trace_id:032x}" != TRACE == told(second)["stethoscope.request.id"]


def test_ids_are_those_of_a_generator_that_the_user_has_chosen(records: Records) -> None:
    class Counting(IdGenerator):
        def generate_span_id(self) -> int:
            return 2

        def generate_trace_id(self) -> int:
            return 3

    traced = Traced(ids=Counting())
    traced.call(records, plain)
    assert (context(traced.span()).trace_id, context(traced.span()).span_id) == (3, 2)


class Recording(Sampler):
    """None of the SDK's, which has to be asked."""

    def __init__(self, inner: Sampler) -> None:
        self._inner = inner
        self.asked = 0

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        self.asked += 1
        assert attributes is not None
        assert attributes["url.path"] == "/"
        return self._inner.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return "Recording"


SAMPLERS = [
    ALWAYS_ON,
    ALWAYS_OFF,
    TraceIdRatioBased(0.5),
    ParentBasedTraceIdRatio(0.5),
    ParentBased(ALWAYS_OFF),
    ParentBased(ALWAYS_ON, remote_parent_sampled=ALWAYS_OFF, remote_parent_not_sampled=TraceIdRatioBased(0.5)),
    Recording(ALWAYS_OFF),
    Recording(ParentBasedTraceIdRatio(0.5)),
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.get_description()[:60])
@pytest.mark.parametrize("looked_at", [False, True], ids=["unseen", "seen"])
def test_decision_is_the_samplers_whether_the_app_looks_at_the_span_or_not(
    records: Records, sampler: Sampler, looked_at: bool
) -> None:
    traced = Traced(sampler)
    seen: list[trace.SpanContext] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if looked_at:
            seen.append(trace.get_current_span().get_span_context())
        await plain(scope, receive, send)

    layer = traced.around(records, app, PATIENT)
    before = sampler.asked if isinstance(sampler, Recording) else 0
    asking = sampler._inner if isinstance(sampler, Recording) else sampler
    expected: list[int] = []
    chance = random.Random(1)

    async def calls() -> None:
        for number in range(60):
            identity = chance.getrandbits(128) or 1
            scope = http_scope()
            if number % 3:
                value = f"00-{identity:032x}-{PARENT}-0{number % 3 - 1}"
                scope = http_scope(headers=[(b"traceparent", value.encode())])
            client = await call(layer, scope)
            if not number % 3:
                identity = int(client.values(b"x-request-id")[0], 16)
            parent = trace.set_span_in_context(
                trace.NonRecordingSpan(
                    trace.SpanContext(identity, int(PARENT, 16), True, trace.TraceFlags(number % 3 - 1))
                ),
                Context(),
            )
            decided = asking.should_sample(
                parent if number % 3 else Context(), identity, "GET", attributes={"url.path": "/"}
            )
            if decided.decision is Decision.RECORD_AND_SAMPLE:
                expected.append(identity)

    asyncio.run(calls())
    assert [context(span).trace_id for span in traced.spans()] == expected
    assert not looked_at or [one.trace_id for one in seen if one.trace_flags.sampled] == expected
    if isinstance(sampler, Recording):
        assert sampler.asked - before == 60


def test_children_and_headers_of_an_unsampled_request_say_so(records: Records) -> None:
    traced, carrier = Traced(ParentBased(ALWAYS_OFF)), dict[str, str]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with traced.tracer.start_as_current_span("query") as query:
            assert not query.is_recording()
            inject(carrier)
        await plain(scope, receive, send)

    client = traced.call(records, app, settings=PATIENT)
    assert traced.spans() == []
    assert carrier["traceparent"].startswith(f"00-{client.values(b'x-request-id')[0].decode()}-")
    assert carrier["traceparent"].endswith("-02")  # random, but not sampled


@pytest.mark.parametrize("scope", [http_scope(), with_parent(sampled=False)], ids=["root", "child"])
def test_unsampled_request_that_was_slow_or_failed_is_kept_and_says_why(records: Records, scope: Scope) -> None:
    traced, seen = Traced(ParentBased(ALWAYS_OFF)), list[trace.SpanContext]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(trace.get_current_span().get_span_context())
        await plain(scope, receive, send)

    traced.call(records, app, scope, settings=PATIENT)
    assert traced.spans() == []
    traced.call(records, app, scope, settings=HASTY)
    with pytest.raises(RuntimeError):
        traced.call(records, failing, scope, settings=PATIENT)
    slow, failed = traced.spans()
    assert (told(slow)["stethoscope.sampling.kept"], told(failed)["stethoscope.sampling.kept"]) == ("slow", "error")
    assert (context(slow).trace_id, context(slow).span_id) == (seen[1].trace_id, seen[1].span_id)
    assert context(slow).trace_flags.sampled
    assert (slow.parent is None) == (scope["headers"] == http_scope()["headers"])
    assert failed.events[0].name == "exception"


def test_sampler_of_another_kind_does_not_keep_what_was_slow_from_being_kept(records: Records) -> None:
    traced = Traced(Recording(ALWAYS_OFF))
    traced.call(records, plain, settings=HASTY)
    assert told(traced.span())["stethoscope.sampling.kept"] == "slow"


def test_client_that_left_is_no_reason_to_keep_a_span(records: Records) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200))
        await send(body(b"par", more=True))
        await receive()

    traced = Traced(ALWAYS_OFF)
    traced.call(records, app, http_scope(), DISCONNECT, settings=PATIENT)
    assert traced.spans() == []


@pytest.mark.parametrize(
    ("status", "expected", "error"),
    [(200, StatusCode.UNSET, None), (404, StatusCode.UNSET, None), (503, StatusCode.ERROR, "503")],
)
def test_status_is_an_error_for_a_5xx_only(records: Records, status: int, expected: StatusCode, error: object) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(status))
        await send(body(b"text"))

    traced = Traced()
    traced.call(records, app)
    assert traced.span().status.status_code is expected
    assert told(traced.span()).get("error.type") == error


def test_query_string_is_left_out_unless_asked_for_and_then_without_secrets(records: Records) -> None:
    traced, scope = Traced(), http_scope(query_string=b"page=2&sig=secret")
    traced.call(records, plain, scope)
    traced.call(records, plain, scope, settings=Settings(query_strings=True))
    without, asked = traced.spans()
    assert "url.query" not in told(without)
    assert told(asked)["url.query"] == "page=2&sig=REDACTED"


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [
        (b"shop", "shop", 80),
        (b"shop:8000", "shop", 8000),
        (b"[::1]:80", "::1", 80),
        (b"[::1]", "::1", 80),
        (b"a:b:c", "a:b", 80),
        (b"shop:\xff", "shop", 80),
    ],
)
def test_server_is_what_the_client_asked_for(records: Records, host: bytes, address: str, port: int) -> None:
    traced = Traced()
    traced.call(records, plain, http_scope(headers=[(b"host", host)]))
    assert (told(traced.span())["server.address"], told(traced.span())["server.port"]) == (address, port)


def test_excluded_request_makes_no_span(records: Records) -> None:
    traced = Traced()
    traced.call(records, plain, http_scope(path="/health"), settings=Settings(exclude=("/health",)))
    assert traced.spans() == []


def test_context_is_what_it_was_when_the_request_is_over(records: Records) -> None:
    traced = Traced()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert trace.get_current_span().is_recording()
        await plain(scope, receive, send)

    traced.call(records, app)
    assert get_current() == {}
    assert not trace.get_current_span().is_recording()


def test_span_is_the_same_for_threads_that_ask_for_it_at_once(records: Records) -> None:
    traced = Traced()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked = [asyncio.to_thread(trace.get_current_span) for _ in range(20)]
        assert len(set(map(id, await asyncio.gather(*asked)))) == 1
        await plain(scope, receive, send)

    traced.call(records, app)
    assert len(traced.spans()) == 1


def test_trace_id_is_in_logs_and_in_the_response_when_asked_for(records: Records) -> None:
    lines, texts = list[str](), list[str]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        record = logging.LogRecord("shop", logging.INFO, "", 0, "hello", (), None)
        lines.append(JSONFormatter().format(record))
        RequestIDFilter().filter(record)
        texts.append(f"{getattr(record, 'trace_id')} {current.trace_id()}")  # noqa: B009 - set by the filter
        await plain(scope, receive, send)

    for sampler, flags in ((ALWAYS_ON, "01"), (ALWAYS_OFF, "00")):
        traced = Traced(sampler)
        settings = PATIENT._replace(headers=("traceresponse",))
        client = traced.call(records, app, with_parent(), settings=settings)
        assert f'"trace_id": "{TRACE}"' in lines[-1]
        assert texts[-1] == f"{TRACE} {TRACE}"
        response = client.values(b"traceresponse")[0].decode()
        assert response.startswith(f"00-{TRACE}-")
        assert response.endswith(f"-{flags}")
        assert all(f"{context(span).span_id:016x}" in response for span in traced.spans())


def test_sampler_that_fails_is_a_failure_of_ours_and_the_app_goes_on(records: Records) -> None:
    class Broken(Recording):
        def should_sample(self, *arguments: object, **named: object) -> SamplingResult:
            raise KeyError("sampler")

    traced = Traced(Broken(ALWAYS_ON), RandomIdGenerator())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert not trace.get_current_span().is_recording()
        await plain(scope, receive, send)

    assert traced.call(records, app).sent[-1]["body"] == b"hello"
    assert records.internal_errors() == {("middleware",): 1.0}
    assert records.total(names.REQUEST_DURATION) == 1
