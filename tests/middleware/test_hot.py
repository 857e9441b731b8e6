"""Compiled and plain, the hot path does the same; and what is compiled leaves `send` what servers make of it."""

from __future__ import annotations

import inspect
import os
import random
import subprocess
import sys
import types
from collections.abc import Generator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.background import BackgroundTask

from stethoscope import hot, names
from stethoscope.asgi import Message, Receive, Scope, Send
from stethoscope.middleware.correlation import correlation_id
from stethoscope.middleware.exchange import Exchange
from stethoscope.middleware.timing import TimingHeaders
from tests.middleware.scripted import BODY, START, Client, Records, http_scope, plain, run, start

CASES = 200


@pytest.fixture
def warm(records: Records) -> Records:
    """What is made at the first request is there."""
    for _ in range(20):
        run(records.around(plain))
    return records


def seen(folder: Path, **environment: str) -> list[str]:
    found = subprocess.run(
        [sys.executable, "-m", "tests.middleware.hot_cases", str(folder), str(CASES)],
        env=os.environ | environment | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    return found.stdout.splitlines()


@pytest.mark.skipif(not hot.COMPILED, reason="there is nothing to compare")
def test_random_requests_leave_the_same_behind_compiled_and_plain(tmp_path: Path) -> None:
    compiled, pure = seen(tmp_path / "compiled"), seen(tmp_path / "plain", STETHOSCOPE_PURE="1")
    assert (compiled[0], pure[0]) == ("True", "False")
    assert len(compiled) == len(pure) == CASES + 1
    for number, (one, other) in enumerate(zip(compiled[1:], pure[1:], strict=True)):
        assert one == other, f"case {number}"


OTHER_CLOCK = """
import sys, time
from pathlib import Path
from types import SimpleNamespace

monotonic = time.perf_counter
time.perf_counter = lambda: monotonic() - 3600.0  # as if this machine had slept for an hour
time.get_clock_info = lambda name: SimpleNamespace(implementation="mach_absolute_time()", resolution=1e-9)

from stethoscope import hot, names
from stethoscope.instruments.database import execution
from tests.middleware.scripted import BODY, Records, answering, plain, run, start


async def failing(scope, receive, send):
    raise LookupError


records = Records(Path(sys.argv[1]))
unusual = {"type": "http.response.start", "status": 200}
for app in (plain, failing, answering(start(503), BODY), answering(unusual, BODY)):
    try:
        run(records.around(app))
    except LookupError:
        pass
took = records.sums(names.REQUEST_DURATION).values()
print(hot.COMPILED, execution._compiled, records.total(names.REQUEST_DURATION), all(seconds < 60 for seconds in took))
print(records.internal_errors())
"""


@pytest.mark.skipif(not hot.COMPILED, reason="there is nothing to compare")
def test_compiled_code_reads_the_clock_that_python_reads(tmp_path: Path) -> None:
    """On macOS that is none that C has by the same name."""
    found = subprocess.run(
        [sys.executable, "-c", OTHER_CLOCK, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert found.stdout == "True None 4 True\n{}\n", found.stderr


@pytest.mark.parametrize("message", [START, BODY])
def test_send_is_a_coroutine_function_and_makes_coroutines(warm: Records, message: Message) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert inspect.iscoroutinefunction(send)
        coroutine = send(dict(message))
        assert inspect.iscoroutine(coroutine)
        assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED
        await coroutine

    assert [sent["type"] for sent in run(warm.around(app)).sent] == [message["type"]]


def test_a_background_task_can_be_send_itself(warm: Records) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(dict(START))
        await BackgroundTask(send, dict(BODY))()

    assert [sent["type"] for sent in run(warm.around(app)).sent] == [START["type"], BODY["type"]]


def test_a_servers_send_may_be_a_coroutine_that_is_a_generator(warm: Records) -> None:
    class Server(Client):
        @types.coroutine
        def send(self, message: Message) -> Generator[Any, Any, None]:
            yield from Client.send(self, message).__await__()

    async def play() -> Server:
        server = Server()
        for _ in range(3):
            await warm.around(plain)(http_scope(), server.receive, server.send)
        return server

    assert len(anyio.run(play).sent) == 6


def test_throwing_into_send_while_it_calls_the_server_raises_as_coroutines_do(warm: Records) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(dict(START))
        under_way.append(send(dict(BODY)))
        with pytest.raises(ValueError, match="already executing"):
            await under_way[0]

    class Server(Client):
        async def send(self, message: Message) -> None:
            if under_way:
                under_way[0].throw(KeyError())

    under_way: list[Any] = []

    async def play() -> None:
        server = Server()
        await warm.around(app)(http_scope(), server.receive, server.send)

    anyio.run(play)


def test_a_status_of_the_enumeration_is_recorded_when_the_response_is_complete(warm: Records) -> None:
    seen: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(HTTPStatus.CREATED, [(b"a", b"b")]))
        await send(dict(BODY))
        seen.append(sum(count for labels, count in warm.counts(names.REQUEST_DURATION).items() if labels[2] == "201"))

    run(warm.around(app))
    assert seen == [1]


@pytest.mark.skipif(not hot.COMPILED, reason="nothing is compiled")
def test_headers_of_a_time_that_was_not_met_before_are_made_for_that_very_time(warm: Records) -> None:
    """In Python the clock would be looked at once more, and the headers of a later time be remembered, maybe each time."""
    layer, called = warm.around(plain), set[object]()
    while not any(layer.timing.remembered):  # those of a request that took longer than 1 ms are not
        called.clear()
        sys.setprofile(lambda frame, event, argument: called.add(frame.f_code) if event == "call" else None)
        try:
            run(layer)
        finally:
            sys.setprofile(None)
    assert TimingHeaders.render.__code__ in called
    assert Exchange._start.__code__ not in called
    assert sum(found is not None for found in layer.timing.remembered) == 1


NAMES = (b"x-request-id", b"x-correlation-id", b"traceparent", b"X-Request-ID", b"x-request-ie", b"tracestate", b"host")
VALUES = (
    b"client-1",
    b"A.z_0~9:/+=@-",
    b"",
    b"two words",
    b"\xff",
    b"\x00",
    b"a" * 128,
    b"a" * 129,
    b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-00",
    b"00-" + b"a" * 32 + b"-" + b"f" * 16 + b"-ff",
    b"00-" + b"0" * 32 + b"-" + b"2" * 16 + b"-01",
    b"00-" + b"1" * 32 + b"-" + b"0" * 16 + b"-01",
    b"00-" + b"A" * 32 + b"-" + b"2" * 16 + b"-01",
    b"ff-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01",
    b"01-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01-more",
    b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01-more",
    b" 00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01\t",
)


def test_ids_are_those_that_the_python_function_finds(warm: Records) -> None:
    chance, layer = random.Random(7), warm.around(plain)
    for _ in range(500):
        headers = [(chance.choice(NAMES), chance.choice(VALUES)) for _ in range(chance.randrange(4))]
        [found] = run(layer, http_scope(headers=headers)).values(b"x-request-id")
        expected, other = correlation_id(headers), correlation_id(headers)
        assert found == expected if expected == other else len(found) == 32, headers


def test_other_interpreters_of_a_process_run_the_python_code() -> None:
    interpreters = pytest.importorskip("_xxsubinterpreters" if sys.version_info < (3, 13) else "_interpreters")
    other = interpreters.create()
    code = f"import sys\nsys.path[:] = {sys.path!r}\nfrom stethoscope import hot\nassert not hot.COMPILED"
    try:
        assert interpreters.run_string(other, code) is None
    finally:
        interpreters.destroy(other)


def test_a_field_that_was_not_set_is_missing() -> None:
    with pytest.raises(AttributeError):
        hot.Exchange().status  # type: ignore[attr-defined]  # noqa: B018
