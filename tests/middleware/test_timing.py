"""The headers that a response gets, and what of the app's stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stethoscope.asgi import Message, Receive, Scope, Send
from stethoscope.current import MOST_SHARES, Share, add_share
from stethoscope.middleware.timing import TimingHeaders, with_shares
from stethoscope.settings import ALL_HEADERS, Settings
from tests.middleware.scripted import BODY, Clock, Records, answering, http_scope, run, start

# W3C Server Timing, section 4, and RFC 9110, sections 5.6.2 and 5.6.4.
TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
ENTRY = rf'{TOKEN};dur=\d+\.\d{{3}}(;desc="[\x20-\x21\x23-\x5b\x5d-\x7e]*")?'
SERVER_TIMING = re.compile(rf"{ENTRY}(, {ENTRY})*".encode())

SHARES = st.dictionaries(
    st.text(max_size=100),
    st.builds(Share, st.floats(0, 1e6), st.integers(1, 10**9)),
    max_size=40,
)


def entries(value: bytes) -> list[bytes]:
    return value.split(b", ")


# Times.


@pytest.mark.parametrize(
    ("seconds", "milliseconds", "text"),
    [
        (0.0, b"0.000", b"0.000000"),
        (0.0000625, b"0.062", b"0.000062"),
        (0.0009999, b"0.999", b"0.000999"),
        (0.001024, b"1.024", b"0.001024"),
        (0.012345, b"12.345", b"0.012345"),
        (1.5, b"1500.000", b"1.500000"),
        (86400.25, b"86400250.000", b"86400.250000"),
    ],
)
def test_times_are_in_milliseconds_with_unit_and_in_seconds(seconds: float, milliseconds: bytes, text: bytes) -> None:
    headers = TimingHeaders(ALL_HEADERS)
    expected = (
        (b"x-response-time", milliseconds + b"ms"),
        (b"x-process-time", text),
        (b"server-timing", b"app;dur=" + milliseconds),
    )
    assert headers.render(int(seconds * 1e6)) == expected
    assert headers.render(int(seconds * 1e6)) == expected  # as it is remembered


def test_headers_tell_the_time_until_the_response_starts(records: Records, clock: Clock) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        clock.now += 0.5
        await send(start())
        clock.now += 4.0
        await send(BODY)

    client = run(records.around(app))
    assert client.values(b"x-response-time") == [b"500.000ms"]
    assert client.values(b"x-process-time") == [b"0.500000"]
    assert client.values(b"server-timing") == [b"app;dur=500.000"]


# Server-Timing.


def test_shares_of_the_time_follow_the_apps_own_entry() -> None:
    shares = {"db": Share(0.0105, 7), "cache": Share(0.25, 1)}
    assert (
        with_shares(b"app;dur=300.000", shares) == b'app;dur=300.000, db;dur=10.500;desc="7 times", cache;dur=250.000'
    )


@given(SHARES)
def test_server_timing_is_valid_and_short_whatever_shares_are_called(shares: dict[str, Share]) -> None:
    """B37: names with separators, quotes, line breaks, of no ASCII, or of nothing."""
    value = with_shares(b"app;dur=1.000", shares)
    assert SERVER_TIMING.fullmatch(value)
    assert len(value) <= 1024
    assert 1 + min(len(shares), 8) <= len(entries(value)) <= 16


def test_server_timing_has_at_most_1_kilobyte() -> None:
    """B37: what has no room is left out, and long names are cut."""
    value = with_shares(b"app;dur=1.000", {f"{i}" + "n" * 1000: Share(1.5) for i in range(MOST_SHARES)})
    assert 900 < len(value) <= 1024
    assert entries(value)[1] == b"0" + b"n" * 63 + b";dur=1500.000"


def test_server_timing_has_at_most_16_entries(records: Records) -> None:
    """B37."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for i in range(200):
            add_share(f"s{i}", 0.001)
        add_share("s0", 0.001)
        await answering(start(), BODY)(scope, receive, send)

    (value,) = run(records.around(app)).values(b"server-timing")
    assert len(entries(value)) == 1 + MOST_SHARES == 16
    assert entries(value)[1] == b's0;dur=2.000;desc="2 times"'


def test_shares_of_one_request_are_not_in_the_next(records: Records, clock: Clock) -> None:
    """A1."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/with":
            add_share("cart", 0.5)
        await answering(start(), BODY)(scope, receive, send)

    layer = records.around(app)
    assert run(layer, http_scope(path="/with")).values(b"server-timing") == [b"app;dur=0.000, cart;dur=500.000"]
    assert run(layer, http_scope(path="/without")).values(b"server-timing") == [b"app;dur=0.000"]


# What is added to a response.


@pytest.mark.parametrize(
    "chosen",
    [ALL_HEADERS, ("x-request-id",), ("server-timing", "x-process-time"), ("x-response-time", "x-request-id")],
    ids=" ".join,
)
def test_headers_that_were_chosen_are_added_and_no_others(records: Records, chosen: Sequence[str]) -> None:
    given = [(b"content-type", b"text/plain"), (b"x-mine", b"1")]
    client = run(records.around(answering(start(headers=given), BODY), Settings(headers=tuple(chosen))))
    assert client.headers[:2] == given
    assert {name.decode() for name, _ in client.headers[2:]} == set(chosen)
    assert len(client.headers) == 2 + len(chosen)


def test_with_no_headers_chosen_every_message_is_the_apps_own_object(records: Records) -> None:
    """A7, A8."""
    messages = [start(headers=[(b"x-request-id", b"apps"), (b"X-Process-Time", b"1")]), BODY]
    client = run(records.around(answering(*messages), Settings(headers=())))
    assert [sent is given for sent, given in zip(client.sent, messages, strict=True)] == [True, True]
    assert client.headers == [(b"x-request-id", b"apps"), (b"X-Process-Time", b"1")]


def test_apps_message_is_copied_and_keeps_what_else_is_in_it(records: Records) -> None:
    """A7, A8: an app may send one message object again and again."""
    headers = [(b"a", b"1")]
    message = start(201, headers, **{"x.vendor": (token := object())})
    client = run(records.around(answering(message, BODY)))
    assert message["headers"] is headers
    assert headers == [(b"a", b"1")]
    assert {**client.sent[0], "headers": headers} == message
    assert client.sent[0]["x.vendor"] is token
    assert type(client.sent[0]["headers"]) is list


def test_lower_and_capital_letters_order_and_doubles_stay(records: Records) -> None:
    """A8."""
    given = [
        (b"set-cookie", b"a=1"),
        (b"X-Second", b"2"),
        (b"set-cookie", b"b=2"),
        (b"Set-Cookie", b"a=1"),
        (b"x-second", b"2"),
    ]
    assert run(records.around(answering(start(headers=given), BODY))).headers[:5] == given


def one_by_one() -> Iterator[tuple[bytes, bytes]]:
    yield (b"set-cookie", b"a=1")
    yield (b"set-cookie", b"b=2")


@pytest.mark.parametrize(
    "headers",
    [
        ([b"set-cookie", b"a=1"], [b"set-cookie", b"b=2"]),
        [(b"set-cookie", b"a=1"), [b"set-cookie", b"b=2"]],
        one_by_one,
        {b"set-cookie": b"a=1", b"Set-Cookie": b"b=2"}.items(),
    ],
    ids=["tuple-of-lists", "list", "generator", "items"],
)
def test_headers_may_be_any_iterable(records: Records, headers: object) -> None:
    """A8: also one that can be read once."""
    message = start(headers=headers() if callable(headers) else headers)
    client = run(records.around(answering(message, BODY)))
    assert client.values(b"set-cookie") == [b"a=1", b"b=2"]
    assert len(client.headers) == 6
    assert records.internal_errors() == {}


@pytest.mark.parametrize("settings", [Settings(), Settings(headers=())], ids=["all", "none"])
def test_headers_may_be_missing(records: Records, settings: Settings) -> None:
    """A8."""
    message: Message = {"type": "http.response.start", "status": 200}
    client = run(records.around(answering(message, BODY), settings))
    assert len(client.sent[0].get("headers", ())) == len(settings.headers)
    assert records.internal_errors() == {}


@pytest.mark.parametrize("name", [b"x-process-time", b"X-Process-Time", b"x-response-time", b"X-RESPONSE-TIME"])
def test_times_that_the_app_tells_stay_and_ours_is_not_beside_them(records: Records, name: bytes) -> None:
    client = run(records.around(answering(start(headers=[(name, b"apps")]), BODY)))
    assert client.values(name.lower()) == [b"apps"]
    assert len(client.headers) == 4
    assert len(client.values(b"x-request-id")) == 1


def test_server_timing_of_the_app_stays_and_ours_is_a_further_one(records: Records, clock: Clock) -> None:
    given = [(b"Server-Timing", b"cdn;dur=3"), (b"server-timing", b"cache;desc=hit")]
    client = run(records.around(answering(start(headers=given), BODY)))
    assert client.headers[:2] == given
    assert client.values(b"server-timing")[2:] == [b"app;dur=0.000"]


def test_id_that_the_app_sets_stays_where_ours_is_not_wanted(records: Records) -> None:
    given = [(b"X-Request-ID", b"apps")]
    client = run(records.around(answering(start(headers=given), BODY), Settings(headers=("server-timing",))))
    assert client.values(b"x-request-id") == [b"apps"]


def test_only_the_first_start_gets_headers(records: Records) -> None:
    """A6."""
    second = start(200, [])
    client = run(records.around(answering(start(), second, BODY)))
    assert client.sent[1] is second
    assert second["headers"] == []
