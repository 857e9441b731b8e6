"""Response headers: order, duplicates, spelling, types and containers (A8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from starlette.types import Receive, Scope, Send

from tests.transparency.case import Collection
from tests.transparency.scopes import body, http_scope, request, start
from tests.transparency.stage import App, Stage

collection = Collection()


def answers_with(headers: object) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(headers=headers))
        await send(body(b"ok"))

    return app


async def play(stage: Stage, headers: object) -> None:
    await stage.play(answers_with(headers), http_scope(), [request()])


@collection.add()
async def two_cookies_stay_two_in_order(stage: Stage) -> None:
    pairs = [(b"set-cookie", b"b=2"), (b"content-type", b"text/plain"), (b"set-cookie", b"a=1")]
    await play(stage, pairs)


@collection.add()
async def equal_header_lines_stay_two(stage: Stage) -> None:
    await play(stage, [(b"vary", b"accept"), (b"vary", b"accept")])


@collection.add()
async def header_names_keep_their_spelling(stage: Stage) -> None:
    await play(stage, [(b"X-Shop-Till", b"Seven"), (b"ETag", b'"A"'), (b"Content-Length", b"2")])


@collection.add()
async def no_headers_key_at_all(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(204))
        await send({"type": "http.response.body"})

    await stage.play(app, http_scope(), [request()])


@collection.add()
async def empty_headers(stage: Stage) -> None:
    await play(stage, [])


@collection.add()
async def tuple_of_headers(stage: Stage) -> None:
    await play(stage, ((b"content-length", b"2"), (b"x-a", b"1")))


@collection.add()
async def headers_as_lists_of_lists(stage: Stage) -> None:
    await play(stage, [[b"content-length", b"2"], [b"x-a", b"1"]])


@collection.add()
async def header_items_of_a_dict(stage: Stage) -> None:
    await play(stage, {b"content-length": b"2", b"x-a": b"1"}.items())


def once() -> Iterator[tuple[bytes, bytes]]:
    yield b"set-cookie", b"a=1"
    yield b"set-cookie", b"b=2"


@collection.add()
async def headers_from_a_generator(stage: Stage) -> None:
    await play(stage, once())


class HeaderLines:
    """Iterable and nothing more, as the specification allows."""

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return once()


@collection.add()
async def headers_from_a_bare_iterable(stage: Stage) -> None:
    lines: Iterable[tuple[bytes, bytes]] = HeaderLines()
    await play(stage, lines)


@collection.add()
async def header_bytes_beyond_ascii(stage: Stage) -> None:
    await play(stage, [(b"x-name", "Jürgen".encode()), (b"x-latin", b"\xfc\xff"), (b"x-empty", b"")])


@collection.add(malformed=True)
async def bytearray_headers(stage: Stage) -> None:
    await play(stage, [(bytearray(b"x-a"), bytearray(b"1")), (b"x-b", bytearray(b"2"))])


@collection.add(malformed=True)
async def text_headers_reach_the_server_as_they_are(stage: Stage) -> None:
    await play(stage, [("content-type", "text/plain")])


@collection.add(malformed=True)
async def headers_of_none_reach_the_server_as_they_are(stage: Stage) -> None:
    await play(stage, None)


@collection.add()
async def own_headers_of_our_names(stage: Stage) -> None:
    await play(
        stage,
        [
            (b"server-timing", b"db;dur=3"),
            (b"x-request-id", b"theirs"),
            (b"x-response-time", b"about a second"),
            (b"x-process-time", b"2"),
            (b"x-last", b"1"),
        ],
    )


@collection.add()
async def own_request_id_in_other_spelling(stage: Stage) -> None:
    await play(stage, [(b"X-Request-ID", b"theirs"), (b"x-request-id", b"again"), (b"x-last", b"1")])


@collection.add()
async def one_start_message_for_every_response(stage: Stage) -> None:
    """An app may keep its start message as a constant: nothing may pile up in it."""
    first, last = start(headers=[(b"content-length", b"2")]), body(b"ok")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(first)
        await send(last)

    for _ in range(3):
        await stage.play(app, http_scope(), [request()])


@collection.add()
async def hundreds_of_headers(stage: Stage) -> None:
    await play(stage, [(b"x-%d" % (index % 7), b"%d" % index) for index in range(500)])
