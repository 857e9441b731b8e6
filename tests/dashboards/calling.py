"""Endpoints, and calls of an ASGI app without a server, on asyncio or trio."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import trio

from stethoscope.asgi import ASGIApp, Message, Scope
from stethoscope.dashboards.endpoints import Endpoints
from stethoscope.dashboards.metrics import Foreign
from stethoscope.settings import AccessRule
from stethoscope.store.snapshot import Snapshot
from tests.exporters.snapshots import every_corner

LOOPBACK = ("127.0.0.1", 40000)
REMOTE = ("203.0.113.7", 40000)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        document: dict[str, Any] = json.loads(self.body)
        return document


def nothing(snapshot: Snapshot, openmetrics: bool, names: frozenset[str] | None) -> bytes:
    """What another registry exposes that is empty."""
    return b""


def endpoints(
    source: Callable[[], Snapshot] = every_corner,
    *,
    token: str | None = "s3cret",
    metrics_path: str | None = None,
    metrics_access: AccessRule | None = None,
    foreign: Foreign = nothing,
    told: list[tuple[str, Exception]] | None = None,
) -> Endpoints:
    """``told`` gets the failures."""
    failures = [] if told is None else told
    return Endpoints(
        source,
        prefix="/_stethoscope",
        token=token,
        metrics_path=metrics_path,
        metrics_access=metrics_access,
        foreign=foreign,
        on_error=lambda part, error: failures.append((part, error)),
    )


def http_scope(
    path: str,
    *,
    method: str = "GET",
    token: str | None = None,
    query: str = "",
    headers: Iterable[tuple[str, str]] = (),
    client: tuple[str, int] | None = REMOTE,
    root_path: str = "",
    scheme: str = "http",
) -> Scope:
    bearer = [] if token is None else [("authorization", f"Bearer {token}")]
    raw = [(name.encode(), value.encode("latin-1")) for name, value in (*headers, *bearer)]
    return {
        "type": "http", "method": method, "path": path, "root_path": root_path, "query_string": query.encode(),
        "headers": raw, "client": client, "scheme": scheme,
    }  # fmt: skip


async def call(app: ASGIApp, scope: Scope, body: bytes | None = None) -> Answer:
    """Without a ``body``, it is an error to ask for one."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        assert body is not None, "nothing of the request's body is needed"
        return {"type": "http.request", "body": body, "more_body": False}

    await app(scope, receive, send)
    start, end = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert len(headers) == len(start["headers"])
    return Answer(start["status"], headers, end["body"])


def get(app: ASGIApp, path: str, **scope: Any) -> Answer:
    return asyncio.run(call(app, http_scope(path, **scope)))


def post(app: ASGIApp, path: str, body: bytes = b"", **scope: Any) -> Answer:
    return asyncio.run(call(app, http_scope(path, method="POST", **scope), body))


def get_on_trio(app: ASGIApp, path: str, **scope: Any) -> Answer:
    async def main() -> Answer:
        return await call(app, http_scope(path, **scope))

    return trio.run(main)
