"""Observers: told of each request three times, once each, and never to the app's cost."""

from __future__ import annotations

from contextvars import ContextVar

import pytest

from stethoscope import names
from stethoscope.asgi import ASGIApp, Receive, Scope, Send
from stethoscope.middleware.exchange import Exchange
from stethoscope.middleware.layer import Layer
from stethoscope.middleware.observer import Observer
from stethoscope.settings import Settings
from tests.middleware.scripted import (
    BODY,
    DISCONNECT,
    START,
    Records,
    answering,
    body,
    http_scope,
    plain,
    run,
    start,
    websocket_scope,
)

PLACE: ContextVar[str] = ContextVar("place", default="outside")


class Diary(Observer):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.entries: list[object] = []

    def started(self, exchange: Exchange) -> None:
        exchange.carried = {"diary": PLACE.set("inside")}
        self.entries.append(("started", exchange.scope["path"], exchange.status))

    def ended(self, exchange: Exchange, status: int, seconds: float, exception: BaseException | None) -> None:
        self.entries.append(("ended", exchange.route, status, exchange.error, exchange.sent, repr(exception)))

    def left(self, exchange: Exchange) -> None:
        assert exchange.carried is not None
        PLACE.reset(exchange.carried["diary"])  # type: ignore[arg-type]  # fails in any other context
        self.entries.append("left")


class Broken(Observer):
    def started(self, exchange: Exchange) -> None:
        raise KeyError("started")

    def ended(self, exchange: Exchange, status: int, seconds: float, exception: BaseException | None) -> None:
        raise KeyError("ended")

    def left(self, exchange: Exchange) -> None:
        raise KeyError("left")


def observed(records: Records, app: ASGIApp, *observers: Observer, settings: Settings | None = None) -> Layer:
    return Layer(app, records.recorder, settings or Settings(), observers=observers)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_observer_is_told_when_a_request_arrives_is_recorded_and_is_left(records: Records, backend: str) -> None:
    diary = Diary()
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(PLACE.get())
        await plain(scope, receive, send)
        seen.append(diary.entries[-1])  # the response is complete, the app goes on

    run(observed(records, app, diary), http_scope(path="/a"), backend=backend)
    assert diary.entries == [("started", "/a", 0), ("ended", "__unmatched__", 200, "", 5, "None"), "left"]
    assert seen == ["inside", diary.entries[1]]
    assert PLACE.get() == "outside"


def test_observer_is_given_what_the_app_raised(records: Records) -> None:
    diary = Diary()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("the app's")

    with pytest.raises(RuntimeError):
        run(observed(records, app, diary))
    assert diary.entries[1] == ("ended", "__unmatched__", 500, "RuntimeError", 0, 'RuntimeError("the app\'s")')


def test_observer_is_told_once_of_a_request_that_broke_off_in_the_middle(records: Records) -> None:
    diary = Diary()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200))
        await send(body(b"par", more=True))
        await receive()

    run(observed(records, app, diary), http_scope(), DISCONNECT)
    assert diary.entries[1:] == [("ended", "__unmatched__", 200, "client_disconnect", 3, "None"), "left"]


def test_what_is_excluded_is_not_recorded_to_observers_either(records: Records) -> None:
    diary = Diary()
    run(observed(records, plain, diary, settings=Settings(exclude=("/health",))), http_scope(path="/health"))
    assert diary.entries == [("started", "/health", 0), "left"]


def test_websockets_are_not_observed(records: Records) -> None:
    diary = Diary()
    app = answering({"type": "websocket.accept"}, {"type": "websocket.close"})
    run(observed(records, app, diary), websocket_scope(), {"type": "websocket.connect"})
    assert diary.entries == []


def test_observer_that_fails_is_counted_and_neither_app_nor_other_observers_notice(records: Records) -> None:
    diary = Diary()
    client = run(observed(records, plain, Broken(), diary))
    assert [message["type"] for message in client.sent] == [START["type"], BODY["type"]]
    assert [entry if isinstance(entry, str) else entry[0] for entry in diary.entries] == ["started", "ended", "left"]  # type: ignore[index]
    assert records.internal_errors() == {("middleware",): 3.0}
    assert records.total(names.REQUEST_DURATION) == 1


def test_observers_leave_in_the_reverse_of_the_order_in_which_they_came(records: Records) -> None:
    order: list[str] = []

    class Named(Observer):
        def __init__(self, name: str) -> None:
            self.name = name

        def started(self, exchange: Exchange) -> None:
            order.append(self.name)

        left = started

    run(observed(records, plain, Named("a"), Named("b")))
    assert order == ["a", "b", "b", "a"]
