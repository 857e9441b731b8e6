"""What clients and apps can make up is counted exactly, in a number of series that is bounded."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import anyio
import pytest

from stethoscope import names
from stethoscope.asgi import Receive, Scope, Send
from stethoscope.middleware.inlet import Inlets
from stethoscope.middleware.layer import Layer
from stethoscope.names import OTHER_METHOD, UNMATCHED_ROUTE
from stethoscope.settings import Settings
from stethoscope.store.recorder import SERIES_CAP
from tests.middleware.scripted import BODY, Clock, Records, body, call, http_scope, plain, run, start

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY")
ATTACKS = 10_000


def invented(i: int) -> Scope:
    """A request of which the client has made up all that it can."""
    host = [(b"host", b"h%d.example" % i), (b"user-agent", b"u%d" % i), (b"x-request-id", b"%d" % i)]
    return http_scope(
        f"GETxyz{i}", f"/{i}/{i}", scheme=f"s{i}", headers=host, http_version=str(i), query_string=b"%d" % i
    )


async def attack(layer: Layer, first: int, last: int) -> None:
    for i in range(first, last):
        await call(layer, invented(i))


@pytest.mark.parametrize("method", METHODS)
def test_known_method_is_a_label_value(records: Records, method: str) -> None:
    run(records.around(plain), http_scope(method))
    assert list(records.counts(names.REQUEST_DURATION)) == [(method, UNMATCHED_ROUTE, "200", "http", "")]


@pytest.mark.parametrize("method", ["FOOBAR1", "get", "Get", "", "PROPFIND", "GET ", "_OTHER", "\ud800", "A" * 100_000])
def test_unknown_method_is_other(records: Records, method: str) -> None:
    """A14: methods are case-sensitive."""
    run(records.around(plain), http_scope(method))
    assert list(records.counts(names.REQUEST_DURATION)) == [(OTHER_METHOD, UNMATCHED_ROUTE, "200", "http", "")]


def test_known_methods_can_be_chosen_as_in_opentelemetry(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "GET, PROPFIND")
    layer = records.around(plain)
    for method in ("GET", "PROPFIND", "POST"):
        run(layer, http_scope(method))
    assert {labels[0] for labels in records.counts(names.REQUEST_DURATION)} == {"GET", "PROPFIND", OTHER_METHOD}


@pytest.mark.parametrize(
    ("scheme", "label"), [("http", "http"), ("https", "https"), ("", ""), ("HTTP", ""), ("gopher", "")]
)
def test_scheme_is_a_known_one_or_none(records: Records, scheme: str, label: str) -> None:
    """A14, C2."""
    run(records.around(plain), http_scope(scheme=scheme))
    assert list(records.counts(names.REQUEST_DURATION)) == [("GET", UNMATCHED_ROUTE, "200", label, "")]


def test_requests_of_ten_thousand_invented_methods_paths_hosts_and_schemes_are_one_series(records: Records) -> None:
    """A14: the gauge of requests in flight too."""
    anyio.run(attack, records.around(plain), 0, ATTACKS)
    assert records.counts(names.REQUEST_DURATION) == {(OTHER_METHOD, UNMATCHED_ROUTE, "200", "", ""): ATTACKS}
    snapshot = records.recorder.snapshot()
    assert [series.labels for series in snapshot.family(names.ACTIVE_REQUESTS).series] == [(OTHER_METHOD, "")]


def test_memory_stays_as_it_is_under_invented_requests(records: Records, clock: Clock) -> None:
    """A14: the clock stands still, because times below 1 ms are remembered as they come."""
    layer = records.around(plain)
    anyio.run(attack, layer, 0, 3000)
    grown = []
    tracemalloc.start()
    try:
        for begin in range(3000, 9000, 2000):
            before = held()
            anyio.run(attack, layer, begin, begin + 2000)
            grown.append(held() - before)
    finally:
        tracemalloc.stop()
    assert min(grown) < 10_000


def held() -> int:
    """Bytes that were allocated where requests pass, and are still there. Other threads of this process take memory elsewhere."""
    gc.collect()
    passed = [tracemalloc.Filter(True, f"*/stethoscope/{part}.py") for part in ("middleware/*", "store/series")]
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(passed).traces)


def by_status(i: int) -> Callable[[Scope, Receive, Send], object]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(1000 + i))
        await send(BODY)

    return app


def by_class(i: int) -> Callable[[Scope, Receive, Send], object]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise type(f"Error{i}", (Exception,), {})

    return app


def by_route(i: int) -> Callable[[Scope, Receive, Send], object]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["path_template"] = f"/{i}"
        await send(start())
        await send(body(b"x", more=True))
        await send(BODY)

    return app


@pytest.mark.parametrize("invent", [by_status, by_class, by_route])
def test_what_an_app_makes_up_goes_to_one_overflow_series_beyond_the_cap(
    records: Records, invent: Callable[[int], Callable[[Scope, Receive, Send], object]]
) -> None:
    """A14: totals stay exact, and what is remembered of them is bounded."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await invent(scope["n"])(scope, receive, send)  # type: ignore[misc]

    layer = records.around(app)

    async def calls() -> None:
        for i in range(ATTACKS + 200):
            with suppress(Exception):
                await call(layer, http_scope(n=i))

    anyio.run(calls)
    duration = records.recorder.snapshot().family(names.REQUEST_DURATION)
    assert len(duration.series) == SERIES_CAP + 1
    assert [series.labels for series in duration.series if series.overflow] == [("",) * 5]
    assert records.total(names.REQUEST_DURATION) == ATTACKS + 200
    assert sum(records.outcomes().values()) == ATTACKS + 200
    assert len(layer.inlets.find("GET", "http").outcomes) <= 10_000
    if invent is by_route:
        assert len(records.counts(names.FIRST_BYTE)) == SERIES_CAP + 1
        assert records.total(names.FIRST_BYTE) == ATTACKS + 200


def test_inlets_are_few_and_kept(records: Records) -> None:
    """A14."""
    inlets = Inlets(records.recorder)
    for i in range(1000):
        assert inlets.find(f"M{i}", f"s{i}") is inlets.find("FOOBAR1", "gopher")
        assert inlets.find("GET", "http") is inlets.find("GET", "http")
    assert len(inlets) == 2


def test_a_layer_of_its_own_settings_counts_into_the_same_series(records: Records) -> None:
    """B17: two apps of one service in one process."""
    run(records.around(plain))
    run(records.around(plain, Settings(headers=())))
    assert records.outcomes() == {("200", ""): 2}
