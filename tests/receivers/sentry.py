"""A receiver of Sentry's envelopes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.receivers.inbox import FINE, Answer, Inbox
from tests.receivers.posts import Post, posts
from tests.servers import HOST

Event = dict[str, Any]
Item = tuple[str, Event]


class Received(Inbox[list[Item]]):
    """Envelopes. ``dsn`` is what ``SENTRY_DSN`` has to be."""

    dsn = ""

    def errors(self, count: int = 0) -> list[Event]:
        """At least ``count`` events of errors, waited for; or what there is when the time is over."""
        return self._wait("event", count)

    def transactions(self, count: int = 0) -> list[Event]:
        return self._wait("transaction", count)

    def _wait(self, kind: str, count: int) -> list[Event]:
        self.wait_for(lambda: len(self._of(kind)) >= count)
        return self._of(kind)

    def _of(self, kind: str) -> list[Event]:
        return [payload for envelope in self.all() for found, payload in envelope if found == kind]


def dsn(port: int) -> str:
    return f"http://key@{HOST}:{port}/1"


def items_of(envelope: bytes) -> Iterator[Item]:
    """Type and payload of each item (Sentry developer documentation, "Envelopes")."""
    _, _, rest = envelope.partition(b"\n")
    while rest.strip():
        line, _, rest = rest.partition(b"\n")
        header = json.loads(line)
        length = header.get("length", rest.find(b"\n") if b"\n" in rest else len(rest))
        payload, rest = rest[:length], rest[length:].removeprefix(b"\n")
        yield header["type"], json.loads(payload)


@contextmanager
def sentry(answer: Answer = FINE) -> Iterator[Received]:
    received = Received(answer)

    def take(post: Post) -> tuple[Answer, bytes]:
        if post.path != "/api/1/envelope/":
            return Answer(404), b""
        return received.take(lambda: list(items_of(post.body))), b"{}"

    with posts(take, "application/json") as port:
        received.dsn = dsn(port)
        yield received
