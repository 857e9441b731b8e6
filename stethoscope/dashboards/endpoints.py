"""Our endpoints: which paths are ours, who may read them, what answers.

| path | served | open to |
|---|---|---|
| the live page and its API, under ``{prefix}`` | with a ``board``, and a token or ``access`` | see `Board` |
| ``{prefix}/metrics`` | with a token or ``access`` | bearers of the token, and whom ``access`` lets in |
| ``metrics_path`` | when given | bearers of the token, and whom ``metrics_access`` lets in |

Everything else under the prefix is 404 for bearers and 401 for others. Paths are compared as they
are, with or without one trailing slash; nothing redirects, because scrapers do not follow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from stethoscope.asgi import Receive, Scope, Send, own_path
from stethoscope.dashboards.access import holds, loopback
from stethoscope.dashboards.board import Board
from stethoscope.dashboards.gate import CHALLENGE, admits
from stethoscope.dashboards.metrics import Foreign, MetricsPage, OnError
from stethoscope.dashboards.responses import Response, problem, respond
from stethoscope.settings import AccessRule
from stethoscope.store.snapshot import Snapshot

Answer = Callable[[Scope], Awaitable[Response]]
"""Answers a GET or HEAD."""

_ALLOW = (b"allow", b"GET, HEAD")


class Endpoints:
    """ASGI app for the paths that it `serves`. Works on asyncio and trio, in several event loops.

    ``source`` takes a snapshot; it is called in a thread, never twice at once. Without ``token`` and without ``access``
    nothing under ``prefix`` is served. ``access`` decides who may read there without the token (by default nobody; in the
    sidecar `access.loopback`), ``metrics_access`` who may read ``metrics_path`` without it (by default `access.loopback`;
    see there for proxies). ``foreign`` gives what other registries expose, ``pages`` has further pages by their path under
    the prefix, ``board`` is the live page. ``on_error`` is told of failures, which are answered with 500.

    Raises ValueError for an empty token, which would open what it should close.
    """

    def __init__(
        self,
        source: Callable[[], Snapshot],
        *,
        prefix: str,
        token: str | None,
        access: AccessRule | None = None,
        metrics_path: str | None = None,
        metrics_access: AccessRule | None = None,
        foreign: Foreign,
        pages: Mapping[str, Answer] | None = None,
        board: Board | None = None,
        on_error: OnError,
    ) -> None:
        if token == "":
            raise ValueError(
                "token takes a secret of at least one character, got ''; leave it out to serve nothing under the prefix"
            )
        self._token = token
        self._access = access or _nobody
        self._board = board
        self._metrics_access = metrics_access or loopback
        self._metrics_path = _bare(metrics_path) if metrics_path else None
        self._on_error = on_error
        metrics = MetricsPage(source, foreign, self._on_error)
        self._prefix = prefix = _bare(prefix)
        pages = {"/metrics": metrics.answer, **(pages or {})}
        self._pages = {prefix + path: answer for path, answer in pages.items()}
        self._metrics = metrics.answer
        open_at_all = token is not None or access is not None
        self._exact = _both_forms(self._metrics_path) | ({prefix} if open_at_all else set())
        self._under: tuple[str, ...] = (f"{prefix}/",) if open_at_all else ()

    def serves(self, path: str) -> bool:
        """Whether ``path`` (of the app, without ``root_path``) is ours. Cheap: asked on every request."""
        return path in self._exact or path.startswith(self._under)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a path that we serve. WebSockets are refused."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        elif not await self._serve_board(scope, receive, send):
            await respond(await self._answer(scope), scope, send)

    async def _serve_board(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Whether the board had an answer."""
        path = own_path(scope)
        if self._board is None or not (path == self._prefix in self._exact or path.startswith(self._under)):
            return False
        return await self._board.serve(path.removeprefix(self._prefix), scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        path = _bare(own_path(scope))
        try:
            refusal = await self._refusal(path, scope)
        except Exception as error:
            self._on_error("access", error)
            return problem(500, "The access rule failed; the log says why.")
        if refusal:
            return refusal
        answer = self._metrics if path == self._metrics_path else self._pages.get(path)
        if answer is None:
            return problem(404, "There is no such page.")
        if scope["method"] not in ("GET", "HEAD"):
            return problem(405, "This page can only be read.", _ALLOW)
        return await answer(scope)

    async def _refusal(self, path: str, scope: Scope) -> Response | None:
        rule = self._metrics_access if path == self._metrics_path else self._access
        if holds(scope, self._token) or await admits(rule, scope):
            return None
        if self._token is None:
            return problem(
                403, "The access rule for this path does not let this request in, and no token is set that would."
            )
        return problem(401, "Send the token as 'Authorization: Bearer <token>'.", CHALLENGE)


def _nobody(scope: Scope) -> bool:
    return False


def _bare(path: str) -> str:
    return path.removesuffix("/")


def _both_forms(path: str | None) -> set[str]:
    return set() if path is None else {path, f"{path}/"}
