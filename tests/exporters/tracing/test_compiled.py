"""What is compiled of tracing: it does all of a request that is not sampled, and leaves nothing behind."""

from __future__ import annotations

import gc
import sys
from weakref import ref

import pytest
from opentelemetry.context import Context, get_current
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased

from stethoscope import hot
from stethoscope.exporters.tracing.pending import Pending
from stethoscope.exporters.tracing.server_spans import ServerSpans
from stethoscope.middleware.layer import Layer
from stethoscope.settings import Settings
from stethoscope.thresholds import Thresholds
from tests.exporters.tracing.spans import PARENT, TRACE, Traced
from tests.middleware.scripted import Records, http_scope, plain, run

pytestmark = pytest.mark.skipif(not hot.COMPILED, reason="nothing is compiled")

PATIENT = Settings(thresholds=Thresholds.resolve({"request_p95": (1000.0, 2000.0)}))


@pytest.fixture
def layer(records: Records) -> Layer:
    """One that has met requests, none of which is sampled."""
    layer = Traced(ParentBased(TraceIdRatioBased(1e-12))).around(records, plain, PATIENT)
    for _ in range(20):
        run(layer)
    return layer


def called(layer: Layer, *headers: tuple[bytes, bytes]) -> set[object]:
    """The Python functions that are called for a request."""
    codes: set[object] = set()
    scope = http_scope(headers=[*headers])
    sys.setprofile(lambda frame, event, argument: codes.add(frame.f_code) if event == "call" else None)
    try:
        run(layer, scope)
    finally:
        sys.setprofile(None)
    return {getattr(code, "co_qualname", "") for code in codes}


def python_of(methods: set[object]) -> set[object]:
    return {name for name in methods if str(name).startswith((ServerSpans.__name__, Pending.__name__))}


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"baggage", b"a=1")],
        [(b"x-request-id", b"of-a-proxy")],
        [(b"traceparent", f"00-{TRACE}-{PARENT}-00".encode())],
        [
            (b"x-request-id", b"of-a-proxy"),
            (b"traceparent", f"00-{TRACE}-{PARENT}-02".encode()),
            (b"tracestate", b"a=1"),
        ],
    ],
)
def test_no_python_of_ours_runs_for_a_request_that_is_not_sampled(
    layer: Layer, headers: list[tuple[bytes, bytes]]
) -> None:
    assert python_of(called(layer, *headers)) == set()


def test_python_reads_what_is_not_plain_and_makes_what_is_sampled(layer: Layer) -> None:
    for value in (b"01-%b-%b-00", b"00-%b-%b-00 ", b"00-%b-%b-0g", b"00-%b-%b-01"):
        parent = (b"traceparent", value % (TRACE.encode(), PARENT.encode()))
        assert "ServerSpans._arrival" in python_of(called(layer, parent)), value


def test_every_flag_of_a_parent_is_read(records: Records) -> None:
    traced = Traced(ParentBased(ALWAYS_OFF))
    layer, seen = traced.around(records, plain, PATIENT), list[bool]()
    for flags in range(256):
        run(layer, http_scope(headers=[(b"traceparent", f"00-{TRACE}-{PARENT}-{flags:02x}".encode())]))
        seen.append(len(traced.spans()) == sum(seen) + 1)
    assert seen == [bool(flags & 1) for flags in range(256)]


def test_nothing_is_left_of_requests(layer: Layer, records: Records) -> None:
    def kept() -> int:
        return sum(type(one) is Pending for one in gc.get_objects())

    before, references = kept(), sys.getrefcount(Pending)
    for _ in range(300):
        run(layer)
    assert kept() == before
    assert abs(sys.getrefcount(Pending) - references) < 5
    assert get_current() == Context()
    assert records.internal_errors() == {}


def test_a_context_that_is_part_of_a_cycle_is_collected() -> None:
    pending = Pending.__new__(Pending)
    pending.request_id = b"1" * 32
    pending.scope = {"pending": pending}
    dict.update(pending, {"pending": pending})
    gone = ref(pending)
    del pending
    gc.collect()
    assert gone() is None


def test_a_context_that_the_app_keeps_says_for_ever_that_it_is_not_sampled(records: Records) -> None:
    kept: list[Context] = []

    async def app(scope: object, receive: object, send: object) -> None:
        kept.append(get_current())
        await plain(scope, receive, send)  # type: ignore[arg-type]

    layer = Traced(ParentBased(ALWAYS_OFF)).around(records, app, PATIENT)
    client = run(layer)
    [context] = kept
    assert type(context) is Pending
    [span] = context.values()
    assert not span.is_recording()  # type: ignore[attr-defined]
    assert f"{span.get_span_context().trace_id:032x}".encode() in client.values(b"x-request-id")  # type: ignore[attr-defined]
