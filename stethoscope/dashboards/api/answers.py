"""Documents as HTTP answers: JSON, tags to compare, and gzip."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from stethoscope.asgi import Scope
from stethoscope.dashboards.access import headers
from stethoscope.dashboards.responses import Response
from stethoscope.exporters.negotiation import accepts_gzip

_WORTH_GZIP: Final = 1024
_LEVEL: Final = 1
_encode: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def to_json(document: Mapping[str, Any]) -> bytes:
    """Pure ASCII. Raises ValueError for a number that JSON does not have."""
    return _encode(document).encode("ascii")


class Document:
    """A body and the forms in which it is sent, each made once for all who ask."""

    def __init__(self, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.body = body
        self.headers = headers
        self.tag = tag_of(body)
        self.gzipped: bytes | None = None

    def prepare(self, scope: Scope) -> None:
        """Compress it, if ``scope``'s client can read that and does not have it already. Not for an event loop."""
        if self.gzipped is None and self._is_sent_gzipped(scope):
            self.compress()

    def compress(self) -> None:
        self.gzipped = gzip.compress(self.body, _LEVEL, mtime=0)

    def is_ready(self, scope: Scope) -> bool:
        return self.gzipped is not None or not self._is_sent_gzipped(scope)

    def _is_sent_gzipped(self, scope: Scope) -> bool:
        return len(self.body) >= _WORTH_GZIP and wants_gzip(scope) and not has_tag(scope, self.tag)


def answer(document: Document, content_type: bytes, scope: Scope) -> Response:
    """200 with the body, or 304 for a client that has it already. Private, and to be revalidated each time."""
    common = (
        (b"cache-control", b"private, no-cache"),
        (b"etag", document.tag),
        (b"vary", b"Accept-Encoding, Authorization, Cookie"),
        (b"x-content-type-options", b"nosniff"),
        *document.headers,
    )
    if has_tag(scope, document.tag):
        return Response(304, common, b"")
    typed = ((b"content-type", content_type), *common)
    if document.gzipped is not None and wants_gzip(scope):
        return Response(200, (*typed, (b"content-encoding", b"gzip")), document.gzipped)
    return Response(200, typed, document.body)


def tag_of(body: bytes) -> bytes:
    """A weak ETag (RFC 9110, section 8.8.1): with gzip and without, it is the same document."""
    return b'W/"' + hashlib.blake2b(body, digest_size=12).hexdigest().encode() + b'"'


def wants_gzip(scope: Scope) -> bool:
    return accepts_gzip(b",".join(headers(scope, b"accept-encoding")).decode("latin-1"))


def has_tag(scope: Scope, tag: bytes) -> bool:
    """Whether If-None-Match names this tag (RFC 9110, section 13.1.2: compared weakly)."""
    known = [part.strip() for line in headers(scope, b"if-none-match") for part in line.split(b",")]
    return b"*" in known or tag in known or tag[2:] in known
