"""Where a scripted call is played once bare and once wrapped, everything noted in one journal.

A stage is server and app at once: what crosses between them is noted on both sides of whatever is in
the middle, in the order in which it happens, so a middleware that reads ahead, holds back, copies or
adds anything leaves another journal than none at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import cast

import anyio
from starlette.types import Message, Receive, Scope, Send

from tests.transparency.pictures import context_picture, error_picture, message_picture, picture

App = Callable[[Scope, Receive, Send], Awaitable[object]]
Wrap = Callable[[App], App]

# The one namespaced key that the wrapper may leave in a scope for its own use (B16, B17).
OUR_SCOPE_KEY = "stethoscope"

FIRST_START = "server gets the first start"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, told apart by lane where several go on at once."""

    lane: str
    what: str
    detail: object = None


def scope_picture(scope: Scope) -> object:
    """A scope without the wrapper's own key."""
    return picture({key: value for key, value in scope.items() if key != OUR_SCOPE_KEY})


def among(seen: dict[int, object], candidate: object) -> bool:
    """Whether this very object was seen."""
    return seen.get(id(candidate)) is candidate


def contents(message: Message) -> dict[str, object]:
    """What is in a message now, to tell later whether it was changed in place."""
    return {key: list(item) if type(item) is list else item for key, item in message.items()}


def changed(before: dict[str, int], after: dict[str, int]) -> list[str]:
    """Names that came, went or got another value."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


async def receive_one(receive: Receive) -> None:
    """Receive as a task of its own."""
    await receive()


async def send_one(send: Send, message: Message) -> None:
    """Send as a task of its own."""
    await send(message)


class Stage:
    """Plays calls through `wrap` and keeps the journal."""

    def __init__(self, wrap: Wrap) -> None:
        self.wrap = wrap
        self.journal: list[Entry] = []
        # A cancellation that the app raises by itself, so that nobody waits for it to arrive.
        self.scripted: BaseException | None = None

    def note(self, what: str, detail: object = None, lane: str = "") -> None:
        """Write one thing that happened into the journal."""
        self.journal.append(Entry(lane, what, detail))

    async def play(
        self,
        app: App,
        scope: Scope,
        incoming: Iterable[Message] = (),
        *,
        receive: Receive | None = None,
        send: Send | None = None,
        lane: str = "",
    ) -> None:
        """One call of the app as a server makes it; `receive` and `send` replace the server's own part."""
        call = Call(self, app, scope, incoming, receive, send, lane)
        await call.run(self.wrap(call.watched))

    async def play_wrapped(
        self, wrapped: App, scope: Scope, incoming: Iterable[Message] = (), *, lane: str = ""
    ) -> None:
        """One call of an app that is wrapped already: what the server sees of it, no more."""
        await Call(self, wrapped, scope, incoming, None, None, lane).run(wrapped)


class Call:
    """One call: the server's side and the watch on the app's side."""

    def __init__(
        self,
        stage: Stage,
        app: App,
        scope: Scope,
        incoming: Iterable[Message],
        receive: Receive | None,
        send: Send | None,
        lane: str,
    ) -> None:
        self.stage, self.app, self.scope, self.lane = stage, app, scope, lane
        self.incoming = iter(incoming)
        self.server_receive = receive or self.next_message
        self.server_send: Callable[[Message], Awaitable[object]] = send or self.take_message
        # By identity: equal is not enough, and all of them stay alive so that no id is used twice.
        self.handed_in: dict[int, object] = {}
        self.handed_out: dict[int, object] = {}
        self.raised: dict[int, object] = {}
        self.task = 0
        self.kind = scope.get("type")
        self.started = False
        self.watching = False

    def note(self, what: str, detail: object = None) -> None:
        self.stage.note(what, detail, self.lane)

    async def next_message(self) -> Message:
        message = next(self.incoming, None)
        if message is None:
            await anyio.sleep_forever()
        assert message is not None
        return message

    async def take_message(self, message: Message) -> None:
        """A server that takes at once."""

    async def receive(self) -> Message:
        self.note("server is asked for a message")
        message = await self.server_receive()
        self.handed_in[id(message)] = message
        return message

    async def send(self, message: Message) -> object:
        self.note(self.what_comes(message), message_picture(message))
        if self.watching and message.get("type") != "http.response.start":
            self.note("the very message of the app", among(self.handed_out, message))
        result = await self.server_send(message)
        self.note("server has taken it")
        return result

    def what_comes(self, message: Message) -> str:
        """Headers are documented for the first start of an HTTP response, so that one is told apart."""
        if self.started or message.get("type") != "http.response.start" or self.kind != "http":
            return "server gets"
        self.started = True
        return FIRST_START

    async def watched(self, scope: Scope, receive: Receive, send: Send) -> object:
        self.watching = True
        self.note("app is called", (scope is self.scope, type(scope).__name__, scope_picture(scope)))
        self.note("in the server's task", anyio.get_current_task().id == self.task)
        try:
            result = await self.app(scope, self.watched_receive(receive), self.watched_send(send))
        except BaseException as error:
            self.raised[id(error)] = error
            self.note("app raises", error_picture(error))
            raise
        self.note("app returns", picture(result))
        return result

    def watched_receive(self, receive: Receive) -> Receive:
        async def app_receive() -> Message:
            self.note("app asks")
            message = await receive()
            self.note("app gets", (message_picture(message), among(self.handed_in, message)))
            return message

        return app_receive

    def watched_send(self, send: Callable[[Message], Awaitable[object]]) -> Send:
        async def app_send(message: Message) -> None:
            self.handed_out[id(message)] = message
            before = contents(message)
            self.note("app sends", message.get("type"))
            result = await send(message)
            self.note("app has sent", (picture(result), before == contents(message)))

        return app_send

    async def run(self, wrapped: App) -> None:
        self.task = anyio.get_current_task().id
        before = context_picture()
        try:
            result = await wrapped(self.scope, self.receive, cast(Send, self.send))
        except BaseException as error:
            self.note("escapes", (error_picture(error), among(self.raised, error)))
            if isinstance(error, anyio.get_cancelled_exc_class()) and error is not self.stage.scripted:
                raise
        else:
            self.note("call returns", picture(result))
        finally:
            self.note("scope afterwards", scope_picture(self.scope))
            self.note("context changed", changed(before, context_picture()))
