"""What an app sends: every kind of message, unchanged, in order, whether or not it makes sense (A6, A7)."""

from __future__ import annotations

from types import MappingProxyType

from starlette.types import Message, Receive, Scope, Send

from tests.transparency.case import Collection
from tests.transparency.scopes import body, http_scope, request, start
from tests.transparency.stage import Stage

collection = Collection()

OPEN_FILE = object()


class OwnDict(dict[str, object]):
    """A message may be a subclass of dict."""


async def play(stage: Stage, *messages: Message) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    await stage.play(app, http_scope(), [request()])


@collection.add()
async def plain_answer(stage: Stage) -> None:
    await play(stage, start(headers=[(b"content-length", b"2")]), body(b"ok"))


@collection.add()
async def unknown_keys_in_known_messages(stage: Stage) -> None:
    vendor: dict[str, object] = {"reason": b"Fine", "x.vendor": {"a": [1]}, "trailers": False}
    await play(stage, {**start(headers=[(b"x-a", b"1")]), **vendor}, body(b"ok", more_body=False, vendor=7))


@collection.add()
async def unknown_and_vendor_messages(stage: Stage) -> None:
    await play(
        stage,
        {"type": "x.vendor.hello", "payload": [1, 2]},
        start(),
        {"type": "http.response.newthing", "more": True},
        body(b"ok"),
        {"type": "x.vendor.goodbye"},
    )


@collection.add()
async def message_without_a_type(stage: Stage) -> None:
    await play(stage, {"status": 200}, start(), body())


@collection.add()
async def trailers(stage: Stage) -> None:
    await play(
        stage,
        start(headers=[(b"trailer", b"x-sum")], trailers=True),
        body(b"a", more_body=True),
        body(b"b"),
        {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")], "more_trailers": True},
        {"type": "http.response.trailers", "headers": [(b"X-Sum", b"2"), (b"X-Sum", b"2")]},
    )


@collection.add()
async def pathsend(stage: Stage) -> None:
    await play(stage, start(headers=[(b"content-length", b"9")]), {"type": "http.response.pathsend", "path": "/a"})


@collection.add()
async def zerocopysend(stage: Stage) -> None:
    copied = {"type": "http.response.zerocopysend", "file": OPEN_FILE, "offset": 1, "count": 4}
    await play(stage, start(), {**copied, "more_body": True}, copied)


@collection.add()
async def early_hints_and_push(stage: Stage) -> None:
    await play(
        stage,
        {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]},
        {"type": "http.response.push", "path": "/a.css", "headers": [(b"accept", b"*/*")]},
        start(),
        body(b"ok"),
    )


@collection.add()
async def debug_messages(stage: Stage) -> None:
    info = {"template": "page.html", "context": {"a": OPEN_FILE}}
    await play(stage, start(), {"type": "http.response.debug", "info": info}, body(b"ok"))


@collection.add()
async def second_start_reaches_the_server(stage: Stage) -> None:
    async def refuses(message: Message) -> None:
        if message["type"] == "http.response.start" and seen:
            raise RuntimeError("second start")
        seen.append(message["type"])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, headers=[(b"x-a", b"1")]))
        await send(start(500, headers=[(b"x-b", b"2")]))

    seen: list[str] = []
    await stage.play(app, http_scope(), [request()], send=refuses)
    stage.note("server took", seen)


@collection.add()
async def sending_after_the_end(stage: Stage) -> None:
    await play(stage, start(), body(b"all"), body(b"more"), body(b"and more", more_body=True))


@collection.add()
async def body_without_a_start(stage: Stage) -> None:
    await play(stage, body(b"ok"))


@collection.add()
async def nothing_is_sent(stage: Stage) -> None:
    await play(stage)


@collection.add()
async def start_and_no_body(stage: Stage) -> None:
    await play(stage, start(200, headers=[(b"content-length", b"5")]))


@collection.add()
async def empty_and_keyless_bodies(stage: Stage) -> None:
    await play(
        stage,
        start(),
        body(b"", more_body=True),
        {"type": "http.response.body", "more_body": True},
        {"type": "http.response.body", "body": bytearray(b"x"), "more_body": 1},
        {"type": "http.response.body"},
    )


@collection.add()
async def messages_of_other_mapping_types(stage: Stage) -> None:
    await play(stage, OwnDict(start(headers=[])), OwnDict(body(b"a", more_body=True)), MappingProxyType(body(b"b")))  # type: ignore[arg-type]


@collection.add()
async def status_of_other_types(stage: Stage) -> None:
    await play(stage, start(True, headers=[]), body(b"ok"))


@collection.add(malformed=True)
async def answer_without_a_status(stage: Stage) -> None:
    await play(stage, {"type": "http.response.start", "headers": []}, body(b"ok"))


@collection.add()
async def message_changed_after_it_was_sent(stage: Stage) -> None:
    """An app may use its dict again as soon as send is back."""
    seen: list[object] = []

    async def keeps_pictures(message: Message) -> None:
        seen.append(message.get("body"))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        chunk = body(b"1", more_body=True)
        await send(start())
        await send(chunk)
        chunk["body"] = b"2"
        await send(chunk)
        await send(body())

    await stage.play(app, http_scope(), [request()], send=keeps_pictures)
    stage.note("server took", seen)


@collection.add()
async def what_send_returns(stage: Stage) -> None:
    async def returns(message: Message) -> None:
        return OPEN_FILE  # type: ignore[return-value]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body())

    await stage.play(app, http_scope(), [request()], send=returns)


@collection.add()
async def send_refuses(stage: Stage) -> None:
    """A server may raise OSError when the client has gone: the app sees that very error."""
    gone = ConnectionResetError(104, "gone")

    async def raises(message: Message) -> None:
        if message.get("body") == b"2":
            raise gone

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"1", more_body=True))
        try:
            await send(body(b"2", more_body=True))
        except OSError as error:
            stage.note("app sees", (error is gone, str(error)))
        await send(body(b"3"))

    await stage.play(app, http_scope(), [request()], send=raises)


@collection.add()
async def send_refuses_and_the_app_lets_it_escape(stage: Stage) -> None:
    gone = BrokenPipeError("gone")

    async def raises(message: Message) -> None:
        raise gone

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send(start())
        except OSError as error:
            stage.note("the very error", error is gone)
            raise

    await stage.play(app, http_scope(), [request()], send=raises)


@collection.add()
async def send_used_after_the_app_has_returned(stage: Stage) -> None:
    kept: list[Send] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        kept.append(send)
        await send(start())

    await stage.play(app, http_scope(), [request()])
    await kept[0](body(b"late"))
