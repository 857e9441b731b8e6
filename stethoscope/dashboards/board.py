"""The live page, and the API that it asks: everything below one prefix except the exposition.

| path | open to |
|---|---|
| ``/`` and the page's files | everybody: they hold no data |
| ``/api/session`` | everybody: it is where one signs in |
| ``/api/…`` | whoever has the token, has signed in with it, or is let in by the user's own rule |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stethoscope.asgi import Receive, Scope, Send
from stethoscope.dashboards.api.api import Api
from stethoscope.dashboards.api.kept import FRESH
from stethoscope.dashboards.api.parameters import BadQuery
from stethoscope.dashboards.assets import INDEX, asset
from stethoscope.dashboards.documents.window import NOTHING, Beside, Moment
from stethoscope.dashboards.flight import Flight
from stethoscope.dashboards.gate import Gate
from stethoscope.dashboards.metrics import OnError
from stethoscope.dashboards.responses import Response, problem, respond, with_slash
from stethoscope.dashboards.stream import Stream
from stethoscope.settings import AccessRule
from stethoscope.thresholds import Thresholds

_API: Final = "/api/"
_STREAM: Final = "stream"
_READING: Final = ("GET", "HEAD")
_DEFAULTS: Final = Thresholds()


class Board:
    """Serves one service. Works on asyncio and trio, in several event loops.

    ``moment`` takes a snapshot; it is called in a thread, never twice at once. ``beside`` has what is not a number.
    ``access`` lets in people without the ``token``. ``on_error`` is told of failures, which are answered with 500.
    """

    def __init__(
        self,
        moment: Callable[[], Moment],
        beside: Beside = NOTHING,
        *,
        token: str | None,
        access: AccessRule | None = None,
        thresholds: Thresholds = _DEFAULTS,
        on_error: OnError,
    ) -> None:
        self._moments = moments = Flight(moment, kept_seconds=FRESH)
        self._on_error = on_error
        self._gate = Gate(token, access)
        self._api = Api(moments, beside, self._gate, thresholds, on_error)
        self._stream = Stream(moments, thresholds, on_error, beside=beside)

    def rest(self) -> None:
        """Let go of numbers that nobody will ask for any more. To be called now and then, in any thread."""
        self._moments.rest()

    async def serve(self, below: str, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer, if ``below``, what follows the prefix in the path, is ours; returns whether it is."""
        if below.startswith(_API):
            await self._serve_api(below.removeprefix(_API).removesuffix("/"), scope, receive, send)
            return True
        page = await _page(below, scope) if scope["method"] in _READING else None
        if page is not None:
            await respond(page, scope, send)
        return page is not None

    async def _serve_api(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._refusal(path, scope)
        try:
            if answer is None and path == _STREAM:
                await self._stream.serve(scope, receive, send, lambda: self._lets_in(path, scope))
                return
        except BadQuery as mistake:
            answer = problem(400, str(mistake))
        await respond(answer or await self._api.answer(path, scope, receive), scope, send)

    async def _lets_in(self, path: str, scope: Scope) -> bool:
        return await self._refusal(path, scope) is None

    async def _refusal(self, path: str, scope: Scope) -> Response | None:
        try:
            refusal = None if self._api.is_open(path) else await self._gate.refusal(scope)
        except Exception as error:
            self._on_error("access", error)
            return problem(500, "The access rule failed; the log says why.")
        if refusal is None and path == _STREAM and scope["method"] not in _READING:
            return problem(405, "A stream can only be read.", (b"allow", b"GET, HEAD"))
        return refusal


async def _page(below: str, scope: Scope) -> Response | None:
    """The page or one of its files; None for other paths."""
    if below:
        return await asset(below.removeprefix("/") or INDEX, scope)
    return with_slash(scope)
