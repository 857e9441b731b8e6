"""What a server hands to an app for one request, made anew each time as a server makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.apps import PATH

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Scope

# What a browser's request carries; no X-Request-ID, so that an ID has to be made.
HEADERS: Final = (
    ("Host", "127.0.0.1:8000"),
    ("Connection", "keep-alive"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("Accept", "application/json, text/plain, */*"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Accept-Language", "en-GB,en;q=0.8,de;q=0.5"),
    ("Referer", "http://127.0.0.1:8000/items"),
    ("Cookie", "session=8c0f5f6c9d1e4b7a; theme=dark"),
)
_RAW_HEADERS: Final = tuple((name.encode(), bytearray(value.encode())) for name, value in HEADERS)
_RAW_PATH: Final = bytearray(PATH.encode())


def make_scope() -> Scope:
    """A scope with the keys of uvicorn's httptools protocol.

    Strings and header bytes are new objects, as they are when they come off a socket: a contender
    must not profit from hashes or identities that a real request would not have.
    """
    raw_path = bytes(_RAW_PATH)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 52341),
        "scheme": "http",
        "root_path": "",
        "headers": [(name.lower(), bytes(value)) for name, value in _RAW_HEADERS],
        "state": {},
        "method": b"GET".decode("ascii"),
        "path": raw_path.decode("ascii"),
        "raw_path": raw_path,
        "query_string": b"",
    }


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Message) -> None:
    """Takes the message and does nothing: the server's own work is no part of the comparison."""


async def drive(app: ASGIApp, count: int) -> None:
    """`count` requests one after another.

    Run inside an event loop, so that contenders which ask for the running loop or task find one;
    nothing here ever suspends, so the loop itself adds nothing between two requests.
    """
    for _ in range(count):
        await app(make_scope(), receive, send)
