"""Answers over ASGI: a status, headers and a whole body."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus

from stethoscope.asgi import Scope, Send


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


async def respond(response: Response, scope: Scope, send: Send) -> None:
    """Send ``response``; to HEAD, all of it but the body. A client that is gone is no error."""
    length = (b"content-length", str(len(response.body)).encode())
    body = b"" if scope["method"] == "HEAD" else response.body
    try:
        await send({"type": "http.response.start", "status": response.status, "headers": [*response.headers, length]})
        await send({"type": "http.response.body", "body": body})
    except OSError:
        # ASGI 2.4: send() raises it when the client has disconnected.
        return
