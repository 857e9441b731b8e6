"""Which ID a request goes by, and who sees it."""

from __future__ import annotations

import asyncio
import re
import string
import subprocess
import sys
import threading
from contextvars import copy_context
from copy import copy
from pathlib import Path

import anyio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import stethoscope
from stethoscope.asgi import Message, Receive, Scope, Send
from stethoscope.current import CURRENT
from stethoscope.middleware.correlation import correlation_id, new_id
from tests.middleware.scripted import BODY, START, Client, Never, Records, call, http_scope, plain, run

ALPHABET = string.ascii_letters + string.digits + "._~:/+=@-"
TRACE = b"0af7651916cd43dd8448eb211c80319c"
OTHER_TRACE = b"1bf7651916cd43dd8448eb211c80319c"
PARENT = b"b7ad6b7169203331"
TRACEPARENT = b"00-" + TRACE + b"-" + PARENT + b"-01"
FRESH = re.compile(rb"[0-9a-f]{32}")


def id_of(*headers: tuple[bytes, bytes]) -> bytes:
    return correlation_id([(b"host", b"test"), *headers, (b"accept", b"*/*")])


def is_new(given: bytes) -> bool:
    return FRESH.fullmatch(given) is not None and given not in (TRACE, OTHER_TRACE, b"0" * 32)


# What is accepted.


@given(
    st.text(ALPHABET, min_size=1, max_size=128).map(str.encode), st.sampled_from([b"x-request-id", b"x-correlation-id"])
)
def test_id_of_the_accepted_alphabet_is_taken_as_it_is(value: bytes, name: bytes) -> None:
    assert id_of((name, value)) == value


@given(
    st.one_of(
        st.binary(), st.binary(min_size=127, max_size=130), st.text().map(lambda text: text.encode(errors="replace"))
    )
)
@example(b"")
@example(b"a" * 129)
@example(b"a=1 tenant=victim")
@example(b"one,two")
@example(b"id\r\nset-cookie: a=b")
@example(b'id"')
@example("\u2028".encode())
@example(b"id\n")
@example(b" id")
def test_any_other_value_is_replaced_and_never_echoed(value: bytes) -> None:
    """B1."""
    accepted = 1 <= len(value) <= 128 and all(byte in ALPHABET.encode() for byte in value)
    for name in (b"x-request-id", b"x-correlation-id", b"traceparent"):
        found = id_of((name, value))
        assert found == value if accepted and name != b"traceparent" else is_new(found)


@pytest.mark.parametrize("byte", [*range(0x21), *b"!\"#$%&'()*,;<>?[\\]^`{|}", *range(0x7F, 0x100)])
def test_one_byte_outside_the_alphabet_is_enough_to_be_replaced(byte: int) -> None:
    """B1: what servers let into a header value differs."""
    assert is_new(id_of((b"x-request-id", b"a%cb" % byte)))


def test_header_of_200_kilobytes_is_replaced() -> None:
    """B1, B2."""
    for name in (b"x-request-id", b"traceparent"):
        assert is_new(id_of((name, b"a" * 200_000)))
        assert is_new(id_of((name, TRACEPARENT + b"-" + b"a" * 200_000)))


def test_new_ids_can_be_trace_ids() -> None:
    assert is_new(id_of())


# Which one is taken.


def test_request_id_goes_before_correlation_id_and_that_before_traceparent() -> None:
    request, correlation, trace = (b"x-request-id", b"r"), (b"x-correlation-id", b"c"), (b"traceparent", TRACEPARENT)
    assert id_of(trace, correlation, request) == b"r"
    assert id_of(trace, correlation) == b"c"
    assert id_of(trace) == TRACE
    assert id_of(trace, correlation, (b"x-request-id", b"bad id")) == b"c"
    assert id_of(trace, (b"x-correlation-id", b""), (b"x-request-id", b"")) == TRACE


@pytest.mark.parametrize("name", [b"x-request-id", b"x-correlation-id"])
def test_of_several_ids_the_first_counts(name: bytes) -> None:
    """B1: also when it is the one that is not accepted."""
    assert id_of((name, b"first"), (name, b"second")) == b"first"
    assert is_new(id_of((name, b"bad id"), (name, b"second")))


@pytest.mark.parametrize(
    "value",
    [
        TRACEPARENT,
        b"00-" + TRACE + b"-" + PARENT + b"-00",
        b"00-" + TRACE + b"-" + PARENT + b"-ff",
        b" \t" + TRACEPARENT + b" ",
        b"cc-" + TRACE + b"-" + PARENT + b"-01",
        b"cc-" + TRACE + b"-" + PARENT + b"-01-what-the-future-will-be-like",
        b"cc-" + TRACE + b"-" + PARENT + b"-01-",
        b"fe-" + TRACE + b"-" + PARENT + b"-01-" + b"x" * 1000,
    ],
)
def test_valid_traceparent_gives_its_trace_id(value: bytes) -> None:
    """B3."""
    assert id_of((b"traceparent", value)) == TRACE


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"ff-" + TRACE + b"-" + PARENT + b"-01",
        b"FF-" + TRACE + b"-" + PARENT + b"-01",
        b"0-" + TRACE + b"-" + PARENT + b"-01",
        b"000-" + TRACE + b"-" + PARENT + b"-01",
        b"0g-" + TRACE + b"-" + PARENT + b"-01",
        b"00-" + b"0" * 32 + b"-" + PARENT + b"-01",
        b"00-" + TRACE + b"-" + b"0" * 16 + b"-01",
        b"00-" + TRACE.upper() + b"-" + PARENT + b"-01",
        b"00-" + TRACE + b"-" + PARENT.upper() + b"-01",
        b"00-" + TRACE[:-1] + b"-" + PARENT + b"-01",
        b"00-" + TRACE + b"0-" + PARENT + b"-01",
        b"00-" + TRACE[:-1] + b"." + b"-" + PARENT + b"-01",
        b"00-" + TRACE + b"-" + PARENT[:-1] + b"-01",
        b"00-" + TRACE + b"-" + PARENT + b"-1",
        b"00-" + TRACE + b"-" + PARENT + b"-.0",
        b"00-" + TRACE + b"-" + PARENT + b"-0A",
        b"00-" + TRACE + b"-" + PARENT + b"-",
        b"00-" + TRACE + b"-" + PARENT,
        b"00-" + TRACE + b"-" + PARENT + b"-01-",
        b"00-" + TRACE + b"-" + PARENT + b"-01-extra",
        b"cc-" + TRACE + b"-" + PARENT + b"-01.what-the-future-will-not-be-like",
        b"cc-" + TRACE + b"-" + PARENT + b"-01x",
        TRACEPARENT + b"," + TRACEPARENT,
        TRACEPARENT + b"\n",
        TRACEPARENT.replace(b"-", b"_"),
    ],
)
def test_malformed_traceparent_gives_nothing(value: bytes) -> None:
    """B3: W3C Trace Context, "traceparent Header Field Values" and "Versioning of traceparent"."""
    assert is_new(id_of((b"traceparent", value)))


def test_two_traceparents_are_none() -> None:
    """B3: which of them is the parent cannot be told."""
    second = TRACEPARENT.replace(TRACE, OTHER_TRACE)
    assert is_new(id_of((b"traceparent", TRACEPARENT), (b"traceparent", second)))
    assert is_new(id_of((b"traceparent", TRACEPARENT), (b"traceparent", TRACEPARENT)))


# New ones.


def test_new_ids_differ_across_forked_processes() -> None:
    """A16: IDs are made in batches, and a batch must not be handed out by parent and child."""
    program = """
import os
from stethoscope.middleware.correlation import new_id
new_id()
children = [os.fork() for _ in range(2)]
os.write(1, b"".join(new_id() + b"\\n" for _ in range(100)))
if all(children):
    for child in children:
        os.waitpid(child, 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    made = done.stdout.split()
    assert len(made) == len(set(made)) == 400


def test_new_ids_differ_across_threads() -> None:
    made: list[bytes] = []
    ready = threading.Barrier(8)

    def make() -> None:
        ready.wait()
        made.extend([new_id() for _ in range(2000)])

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(set(made)) == 16_000


# Who sees it.


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_id_is_the_same_in_app_threads_and_response(records: Records, backend: str) -> None:
    """C1: an endpoint that is a plain function runs in a thread of the pool."""

    def endpoint(request: Request) -> Response:
        return PlainTextResponse(stethoscope.request_id())

    app = records.around(Starlette(routes=[Route("/", endpoint)]))
    sent_along = run(app, http_scope(headers=[(b"x-request-id", b"me-1")]), backend=backend)
    assert sent_along.sent[1]["body"] == b"me-1"
    assert sent_along.values(b"x-request-id") == [b"me-1"]
    made = run(app, backend=backend)
    assert [made.sent[1]["body"]] == made.values(b"x-request-id")
    assert is_new(made.sent[1]["body"])


@pytest.mark.parametrize("headers", [[(b"host", b"test")], [], ()], ids=["some", "none", "empty-tuple"])
def test_context_of_an_earlier_request_gives_no_id(records: Records, headers: object) -> None:
    """A1: servers run a request in the context that an earlier one of the connection has left or is still in."""
    seen: list[str | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(stethoscope.request_id())
        await plain(scope, receive, send)
        if len(seen) == 1:  # as from within the last send of a pipelined request
            scope = http_scope(headers=copy(headers))
            await asyncio.get_running_loop().create_task(call(layer, scope), context=copy_context())
        seen.append(stethoscope.request_id())

    layer = records.around(app)
    run(layer, http_scope(headers=copy(headers)))
    assert seen[0] == seen[3]
    assert seen[1] == seen[2] != seen[0]
    assert records.outcomes() == {("200", ""): 2}


def test_context_is_restored_when_the_request_is_over(records: Records) -> None:
    """A1, A12: also when the app has failed."""

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        assert stethoscope.request_id() == "inner"
        raise KeyError

    async def calls() -> None:
        for app in (plain, failing):
            try:
                await call(records.around(app), http_scope(headers=[(b"x-request-id", b"inner")]))
            except KeyError:
                pass
            assert CURRENT.get() is None
            assert stethoscope.request_id() is None

    anyio.run(calls)


def test_app_inside_an_app_has_its_own_id_and_gives_back_the_outer_one(records: Records) -> None:
    """A1."""
    seen: list[str | None] = []

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(stethoscope.request_id())
        await call(inner, http_scope(headers=[(b"x-request-id", b"inner")]))
        seen.append(stethoscope.request_id())
        await plain(scope, receive, send)

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(stethoscope.request_id())
        await plain(scope, receive, send)

    inner = records.around(noting)
    run(records.around(outer), http_scope(headers=[(b"x-request-id", b"outer")]))
    assert seen == ["outer", "inner", "outer"]


def test_generator_closed_in_another_context_is_no_failure(records: Records) -> None:
    """A12: a context variable can be reset only in the context that it was set in."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Never()

    client = Client()
    coroutine = records.around(app)(http_scope(), client.receive, client.send)
    copy_context().run(coroutine.send, None)
    copy_context().run(coroutine.close)
    assert records.outcomes() == {("", "cancelled"): 1}


# In the response.


@pytest.mark.parametrize("name", [b"x-request-id", b"X-Request-ID", b"X-REQUEST-ID"])
def test_response_has_one_id_whatever_the_app_sets(records: Records, name: bytes) -> None:
    """A8, B1."""
    message: Message = {**START, "headers": [(name, b"apps"), (b"a", b"1"), (name, b"again"), (b"b", b"2")]}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(message)
        await send(BODY)

    client = run(records.around(app), http_scope(headers=[(b"x-request-id", b"ours")]))
    assert client.values(b"x-request-id") == [b"ours"]
    assert client.headers[:2] == [(b"a", b"1"), (b"b", b"2")]


def test_id_is_on_the_error_page_of_an_unhandled_exception(tmp_path: Path) -> None:
    """B14: the layer is outside of what makes the page."""

    async def failing(request: Request) -> Response:
        raise KeyError

    app = stethoscope.install(Starlette(routes=[Route("/", failing)]), dir=tmp_path)
    client = Client()

    async def calls() -> None:
        with pytest.raises(KeyError):
            await app(http_scope(headers=[(b"x-request-id", b"me")]), client.receive, client.send)

    anyio.run(calls)
    assert client.sent[0]["status"] == 500
    assert client.values(b"x-request-id") == [b"me"]
    assert len(client.values(b"x-response-time")) == len(client.values(b"server-timing")) == 1
