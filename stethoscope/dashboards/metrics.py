"""The metrics page: from a request's headers and query to an exposition.

All work is done in a thread, which gives up the interpreter lock after every chunk, so that the
event loop of the observed app hardly notices a scrape. The threads are not taken from the app's.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from anyio import to_thread

from stethoscope.asgi import Scope
from stethoscope.dashboards.access import headers
from stethoscope.dashboards.flight import Ask, Flight
from stethoscope.dashboards.responses import Response, page, problem
from stethoscope.dashboards.threads import threads
from stethoscope.exporters.exposition import Exposition
from stethoscope.exporters.negotiation import accepts_gzip, choose_format
from stethoscope.exporters.openmetrics import OPENMETRICS
from stethoscope.exporters.protobuf import PROTOBUF
from stethoscope.exporters.text_to_protobuf import to_protobuf
from stethoscope.store.snapshot import Snapshot
from stethoscope.store.turns import let_others_run

Foreign = Callable[[Snapshot, bool, frozenset[str] | None], bytes]
"""What another registry has beside a snapshot: families with other names, only these or all, without the end of a page.

As OpenMetrics when the flag is set, else as Prometheus text."""

OnError = Callable[[str, Exception], None]
"""Is told in which part a failure happened, and what was raised."""

_MAX_NAMES: Final = 1000
_GZIP: Final = 31
"""zlib's window bits for a gzip stream, whose header then carries no time: equal pages are equal bytes."""
_LEVEL: Final = 1
"""On a page of 4 MB level 1 takes 11 ms for 190 kB, level 4 takes 32 ms for 170 kB, level 9 takes 77 ms for 136 kB."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request wants to be given."""

    format: Exposition
    gzip: bool
    names: frozenset[str] | None


def wish(scope: Scope) -> Wish:
    """Read a request's Accept, Accept-Encoding, ``name[]`` and ``histograms``. Raises ValueError for more than 1,000 query fields."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"), max_num_fields=_MAX_NAMES)
    names = query.get("name[]")
    accept, encodings = (b",".join(headers(scope, name)).decode("latin-1") for name in (b"accept", b"accept-encoding"))
    return Wish(
        choose_format(accept, native="native" in query.get("histograms", ())),
        accepts_gzip(encodings),
        frozenset(names) if names else None,
    )


class MetricsPage:
    """Answers scrapes from one source of snapshots. Scrapes that overlap share a snapshot."""

    def __init__(self, source: Callable[[], Snapshot], foreign: Foreign, on_error: OnError) -> None:
        self._snapshots = Flight(source)
        self._foreign = foreign
        self._on_error = on_error

    async def answer(self, scope: Scope) -> Response:
        """The page, or a problem document: nothing is raised."""
        try:
            wanted = wish(scope)
        except ValueError:
            return problem(400, f"A query has at most {_MAX_NAMES} fields.")
        ask = self._snapshots.ask()
        try:
            body = await to_thread.run_sync(self._body, ask, wanted, limiter=threads())
        except Exception as error:
            self._on_error("metrics", error)
            return problem(500, "The metrics could not be rendered; the log says why.")
        finally:
            # The thread has left already, unless this request was cancelled before it started.
            ask.leave()
        coding = ((b"content-encoding", b"gzip"),) if wanted.gzip else ()
        return page(wanted.format.content_type, body, (b"vary", b"Accept, Accept-Encoding"), *coding)

    def _body(self, ask: Ask[Snapshot], wanted: Wish) -> bytes:
        try:
            return b"".join(_in_turns(self._chunks(ask.result(), wanted)))
        finally:
            ask.leave()

    def _chunks(self, snapshot: Snapshot, wanted: Wish) -> Iterable[bytes]:
        chunks = wanted.format.render(snapshot, wanted.names, self._also(snapshot, wanted))
        return _gzip(chunks) if wanted.gzip else chunks

    def _also(self, snapshot: Snapshot, wanted: Wish) -> bytes:
        try:
            page = self._foreign(snapshot, wanted.format is OPENMETRICS, wanted.names)
            return to_protobuf(page) if wanted.format is PROTOBUF else page
        except Exception as error:
            # A collector of the app that fails must not hide what we know.
            self._on_error("foreign", error)
            return b""


def _in_turns(chunks: Iterable[bytes]) -> Iterable[bytes]:
    for chunk in chunks:
        yield chunk
        let_others_run()


def _gzip(chunks: Iterable[bytes]) -> Iterable[bytes]:
    compressor = zlib.compressobj(_LEVEL, wbits=_GZIP)
    for chunk in chunks:
        yield compressor.compress(chunk)
    yield compressor.flush()
