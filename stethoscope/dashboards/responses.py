"""Answers over ASGI: a status, headers and a whole body."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from stethoscope.asgi import Scope, Send

_WITHOUT_LENGTH: Final = (204, 304)
"""One must not have a length, the other none but that of the answer that it stands for (RFC 9110, section 8.6)."""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def page(content_type: str, body: bytes, *headers: tuple[bytes, bytes]) -> Response:
    """A successful answer that no cache keeps and no browser takes for another type: labels can contain anything."""
    common = (
        (b"content-type", content_type.encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    )
    return Response(200, (*common, *headers), body)


def problem(status: int, detail: str, *headers: tuple[bytes, bytes]) -> Response:
    """An error as a problem document (RFC 9457)."""
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    common = ((b"content-type", b"application/problem+json"), (b"cache-control", b"no-store"))
    return Response(status, (*common, *headers), json.dumps(document).encode())


def with_slash(scope: Scope) -> Response:
    """To the folder of that name: the page's own addresses are relative to it."""
    # Relative as well, because only the browser knows the whole address.
    folder = quote(scope["path"].rpartition("/")[2])
    return Response(308, ((b"location", f"{folder}/".encode()), (b"cache-control", b"no-cache")), b"")


async def respond(response: Response, scope: Scope, send: Send) -> None:
    """Send ``response``; to HEAD, all of it but the body. A client that is gone is no error."""
    length = () if response.status in _WITHOUT_LENGTH else ((b"content-length", str(len(response.body)).encode()),)
    body = b"" if scope["method"] == "HEAD" else response.body
    try:
        await send({"type": "http.response.start", "status": response.status, "headers": [*response.headers, *length]})
        await send({"type": "http.response.body", "body": body})
    except OSError:
        # ASGI 2.4: send() raises it when the client has disconnected.
        return
