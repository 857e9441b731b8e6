"""Time in the queue: what proxies write, and what is believed of it."""

from __future__ import annotations

import re
import time

import pytest

from stethoscope import names
from stethoscope.asgi import Scope
from stethoscope.middleware.layer import Layer
from stethoscope.middleware.queueing import QueueObserver, queued
from stethoscope.settings import Settings
from tests.middleware.scripted import Client, Records, http_scope, plain, run

NOW = 1_795_000_000.5
ENTERED = {
    "seconds, as HAProxy has it with a fraction": "1794999999.25",
    "seconds, as nginx's $msec has it": "1794999999.250",
    "milliseconds, as Heroku has it": "1794999999250",
    "microseconds, as Apache has it": "1794999999250000",
    "nanoseconds": "1794999999250000000",
}


@pytest.mark.parametrize("text", ENTERED.values(), ids=ENTERED)
@pytest.mark.parametrize("before", ["", "t=", " t="])
def test_all_units_with_and_without_a_prefix(before: str, text: str) -> None:
    assert queued((before + text).encode(), NOW) == pytest.approx(1.25, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1795000001.5", "future"),
        ("1794900000", "old"),
        ("0", "old"),
        ("3", "old"),
        ("", "unreadable"),
        ("t=", "unreadable"),
        ("now", "unreadable"),
        ("-1795000000", "unreadable"),
        ("nan", "unreadable"),
        ("1e9", "unreadable"),
        ("1795000000, 1795000000", "unreadable"),
        ("9" * 400, "unreadable"),
        ("99999999999999999999", "future"),
        ("\xb2", "unreadable"),
    ],
)
def test_what_can_not_be_is_refused_with_a_reason(text: str, reason: str) -> None:
    assert queued(text.encode("latin-1"), NOW) == reason


def test_proxy_that_rounds_up_to_milliseconds_is_believed() -> None:
    assert queued(b"1795000000.501", NOW) == 0.0


def call(records: Records, *headers: tuple[bytes, bytes]) -> Client:
    layer = Layer(plain, records.recorder, Settings(), observers=[QueueObserver(records.recorder)])
    scope: Scope = http_scope(headers=[(b"host", b"test"), *headers])
    return run(layer, scope)


@pytest.mark.parametrize("name", [b"x-request-start", b"x-queue-start"])
def test_time_in_the_queue_is_recorded_and_in_server_timing(records: Records, name: bytes) -> None:
    client = call(records, (name, b"t=%.6f" % (time.time() - 2)))
    assert records.counts(names.QUEUE_DURATION) == {(): 1}
    assert 2 <= records.sums(names.QUEUE_DURATION)[()] < 60
    (timing,) = client.values(b"server-timing")
    found = re.search(rb"queue;dur=([0-9.]+)", timing)
    assert found
    assert 2000 <= float(found[1]) < 60_000


def test_refused_times_are_counted_and_leave_the_response_alone(records: Records) -> None:
    assert b"queue" not in call(records, (b"x-request-start", b"yesterday")).values(b"server-timing")[0]
    call(records, (b"x-request-start", b"%d" % (time.time() + 3600)))
    assert records.numbers(names.REFUSED_QUEUE_TIMES) == {("unreadable",): 1.0, ("future",): 1.0}
    assert records.counts(names.QUEUE_DURATION) == {}


def test_requests_without_the_header_are_not_counted(records: Records) -> None:
    call(records)
    assert records.counts(names.QUEUE_DURATION) == {}
    assert records.numbers(names.REFUSED_QUEUE_TIMES) == {}


def test_requests_that_are_left_out_are_not_counted(records: Records) -> None:
    """Such as a load balancer's health checks, which wait as others do."""
    layer = Layer(plain, records.recorder, Settings(exclude=("/health",)), observers=[QueueObserver(records.recorder)])
    for path in ("/health", "/healthy"):
        run(layer, http_scope(path=path, headers=[(b"x-request-start", b"%.6f" % time.time())]))
    assert records.counts(names.QUEUE_DURATION) == {(): 1}


def test_headers_that_can_be_read_once_are_left_to_the_app(records: Records) -> None:
    given = iter([(b"x-request-start", b"1")])
    layer = Layer(plain, records.recorder, Settings(), observers=[QueueObserver(records.recorder)])
    run(layer, http_scope(headers=given))
    assert list(given) == [(b"x-request-start", b"1")]
