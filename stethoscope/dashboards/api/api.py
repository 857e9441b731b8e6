"""From a request to an answer of the API."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from email.utils import formatdate
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from anyio import to_thread

from stethoscope.asgi import Receive, Scope
from stethoscope.dashboards.access import headers
from stethoscope.dashboards.api import openapi
from stethoscope.dashboards.api.answers import Document, answer, to_json
from stethoscope.dashboards.api.kept import FRESH, Kept
from stethoscope.dashboards.api.operations import OPERATIONS, Operation, Question
from stethoscope.dashboards.api.parameters import BadQuery, Value, read_query
from stethoscope.dashboards.documents.window import Beside, Moment
from stethoscope.dashboards.flight import Flight
from stethoscope.dashboards.gate import CHALLENGE, Gate
from stethoscope.dashboards.metrics import OnError
from stethoscope.dashboards.responses import Response, problem
from stethoscope.dashboards.threads import threads
from stethoscope.thresholds import Thresholds

_JSON: Final = openapi.JSON.encode()
_MOST_BODY: Final = 4096
_DONE: Final = ((b"cache-control", b"no-store"),)
Links = tuple[tuple[bytes, bytes], ...]


class Api:
    """Answers what is below its prefix. Any number of requests at once, on any event loop.

    An answer is up to two seconds old (`stethoscope.dashboards.api.kept`).
    """

    def __init__(
        self, moments: Flight[Moment], beside: Beside, gate: Gate, thresholds: Thresholds, on_error: OnError
    ) -> None:
        self._moments = moments
        self._beside = beside
        self._gate = gate
        self._thresholds = thresholds
        self._on_error = on_error
        self._kept: Kept[Document] = Kept(lambda error: on_error("api", error))

    def is_open(self, path: str) -> bool:
        """Whether ``path`` (below the API's own) is for everybody: where one signs in."""
        return path == "session"

    async def answer(self, path: str, scope: Scope, receive: Receive) -> Response:
        """The answer, or a problem document: nothing is raised."""
        method = scope["method"]
        actions = _ACTIONS.get(path)
        if actions is not None:
            action = actions.get(method)
            return await action(self, scope, receive) if action else _not_by(method, *actions)
        if path == "openapi.json":
            return self._description(scope) if method in ("GET", "HEAD") else _not_by(method, "GET", "HEAD")
        found = find(path)
        if found is None:
            return problem(404, "There is no such page. The API describes itself at openapi.json.")
        if method not in ("GET", "HEAD"):
            return _not_by(method, "GET", "HEAD")
        return await self._read(*found, scope)

    async def _read(self, operation: Operation, place: Mapping[str, Value], scope: Scope) -> Response:
        try:
            values = {**read_query(scope.get("query_string", b""), operation.parameters), **place}
            asked = (operation.path, *values.items())
            document = self._kept.get(asked)
            if document is None or not document.is_ready(scope):
                document = await to_thread.run_sync(self._prepared, asked, operation, values, scope, limiter=threads())
        except BadQuery as mistake:
            return problem(400, str(mistake))
        except Exception as error:
            self._on_error("api", error)
            return problem(500, "The answer could not be made; the log says why.")
        if document is None:
            return problem(404, "Nothing is known of it, or no longer.")
        return answer(document, _JSON, scope)

    def _prepared(
        self, asked: Hashable, operation: Operation, values: Mapping[str, Value], scope: Scope
    ) -> Document | None:
        document = self._kept.get_or_make(asked, partial(self._document, operation, values))
        if document is not None:
            document.prepare(scope)
        return document

    def _document(
        self, operation: Operation, values: Mapping[str, Value], before: Document | None, older: float
    ) -> Document | None:
        """The answer, compressed if the one before was. It says how old it is (RFC 9110, section 8.8.2), to the second."""
        as_of = (b"last-modified", formatdate(time.time(), usegmt=True).encode())
        ask = self._moments.ask(FRESH + older)
        try:
            found = operation.answer(Question(ask.result, self._beside, values, self._thresholds))
        finally:
            ask.leave()
        if found is None:
            return None
        document = Document(to_json(found), (as_of, *_links(values, found)))
        if before is not None and before.gzipped is not None:
            document.compress()
        return document

    def _description(self, scope: Scope) -> Response:
        try:
            read_query(scope.get("query_string", b""), ())
        except BadQuery as mistake:
            return problem(400, str(mistake))
        document = Document(to_json(openapi.document()))
        document.prepare(scope)
        return answer(document, _JSON, scope)

    async def _reset(self, scope: Scope, receive: Receive) -> Response:
        ask = self._moments.ask()
        try:
            read_query(scope.get("query_string", b""), ())
            await to_thread.run_sync(lambda: self._start_over(ask.result()), limiter=threads())
        except BadQuery as mistake:
            return problem(400, str(mistake))
        except OSError as error:
            self._on_error("reset", error)
            return problem(503, "The present numbers cannot be put aside; the log says why.")
        except Exception as error:
            self._on_error("reset", error)
            return problem(500, "The present numbers cannot be read; the log says why.")
        finally:
            ask.leave()
        return Response(204, _DONE, b"")

    def _start_over(self, moment: Moment) -> None:
        if moment.history is None:
            raise OSError("this service records into private memory")
        moment.history.reset(moment.present)
        self._moments.forget()
        self._kept.clear()

    async def _signed_in(self, scope: Scope, receive: Receive) -> Response:
        """A page asks this first: asking for numbers without being let in would be an error in the browser's console."""
        try:
            signed_in = await self._gate.refusal(scope) is None
        except Exception as error:
            self._on_error("access", error)
            return problem(500, "The access rule failed; the log says why.")
        return Response(
            200, ((b"content-type", _JSON), (b"cache-control", b"no-store")), to_json({"signed_in": signed_in})
        )

    async def _sign_in(self, scope: Scope, receive: Receive) -> Response:
        if self._gate.sessions is None:
            return problem(401, "There is no token to sign in with.", CHALLENGE)
        # No form of another site can send this type (Fetch standard, "CORS-safelisted request-header").
        if [value.partition(b";")[0].strip().lower() for value in headers(scope, b"content-type")] != [_JSON]:
            return problem(415, "Send the token as JSON: content-type application/json.")
        try:
            body = await _body(receive)
        except ValueError:
            return problem(400, f"The body has at most {_MOST_BODY} bytes.")
        token = _token_in(body)
        if token is None:
            return problem(400, """The body is to be {"token": "…"}.""")
        if not self._gate.knows(token):
            return problem(401, "This is not the token.", CHALLENGE)
        return Response(204, (*_DONE, (b"set-cookie", self._gate.sessions.start(scope))), b"")

    async def _sign_out(self, scope: Scope, receive: Receive) -> Response:
        if self._gate.sessions is None:
            return Response(204, _DONE, b"")
        return Response(204, (*_DONE, (b"set-cookie", self._gate.sessions.end(scope))), b"")


Action = Callable[[Api, Scope, Receive], Awaitable[Response]]

_ACTIONS: Final[Mapping[str, Mapping[str, Action]]] = {
    "reset": {"POST": Api._reset},
    "session": {
        "GET": Api._signed_in,
        "HEAD": Api._signed_in,
        "POST": Api._sign_in,
        "DELETE": Api._sign_out,
    },
}
"""Not of the object's own methods, which would hold the object that holds them."""


def find(path: str) -> tuple[Operation, Mapping[str, Value]] | None:
    """The operation at a path below the API's own, and the value of the path's variable part."""
    for operation in OPERATIONS:
        if operation.path == path:
            return operation, {}
        start = operation.path.partition("{")[0]
        # A correlation ID may have slashes.
        if operation.place and path.startswith(start) and len(path) > len(start):
            return operation, {operation.place: path[len(start) :]}
    return None


def _not_by(method: str, *allowed: str) -> Response:
    return problem(405, f"Not by {method[:20]}.", (b"allow", ", ".join(allowed).encode()))


def _links(values: Mapping[str, Value], document: Mapping[str, Any]) -> Links:
    """Where the next and the previous page are (RFC 8288), relative to this one."""
    offset, limit, total = values.get("offset"), values.get("limit"), document.get("total")
    if not (isinstance(offset, int) and isinstance(limit, int) and isinstance(total, int)):
        return ()
    places = {"prev": max(0, offset - limit)} if offset else {}
    places |= {"next": offset + limit} if offset + limit < total else {}
    given = {name: value for name, value in values.items() if value is not None}
    links = [f'<?{_query({**given, "offset": place})}>; rel="{rel}"' for rel, place in places.items()]
    return ((b"link", ", ".join(links).encode()),) if links else ()


def _query(values: Mapping[str, Value]) -> str:
    return "&".join(f"{name}={quote(str(value), safe='')}" for name, value in values.items())


async def _body(receive: Receive) -> bytes:
    """The request's body. Raises ValueError when it is too long."""
    body = b""
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > _MOST_BODY:
            raise ValueError
        if message["type"] != "http.request" or not message.get("more_body"):
            return body


def _token_in(body: bytes) -> str | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.keys() != {"token"}:
        return None
    token = document["token"]
    return token if isinstance(token, str) and token else None
