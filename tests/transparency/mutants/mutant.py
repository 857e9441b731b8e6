"""How a mutant is written: as a filter of messages, as a way to call the app, or as a wrapper."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import Message, Receive, Scope, Send

from tests.transparency.stage import App, Wrap

# Returns the message to send instead; None drops it.
Filter = Callable[[Message], Message | None]
Call = Callable[[App, Scope, Receive, Send], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A broken middleware, and the cases that must tell it from none at all."""

    name: str
    wrap: Wrap
    caught_by: tuple[str, ...]


class Mutants:
    """The mutants of one module."""

    def __init__(self) -> None:
        self.members: list[Mutant] = []

    def wraps(self, *caught_by: str) -> Callable[[Wrap], Wrap]:
        """Collect a mutant that is a wrapper of apps."""

        def collect(wrap: Wrap) -> Wrap:
            self.members.append(Mutant(getattr(wrap, "__name__", ""), wrap, caught_by))
            return wrap

        return collect

    def calls(self, *caught_by: str) -> Callable[[Call], Call]:
        """Collect a mutant that is a way to call the app."""

        def collect(call: Call) -> Call:
            def wrap(app: App) -> App:
                async def wrapped(scope: Scope, receive: Receive, send: Send) -> object:
                    return await call(app, scope, receive, send)

                return wrapped

            self.members.append(Mutant(getattr(call, "__name__", ""), wrap, caught_by))
            return call

        return collect

    def filters(self, *caught_by: str) -> Callable[[Filter], Filter]:
        """Collect a mutant that changes what the app sends, message by message."""

        def collect(change: Filter) -> Filter:
            async def call(app: App, scope: Scope, receive: Receive, send: Send) -> object:
                async def changed_send(message: Message) -> None:
                    changed = change(message)
                    return None if changed is None else await send(changed)

                return await app(scope, receive, changed_send)

            call.__name__ = getattr(change, "__name__", "")
            self.calls(*caught_by)(call)
            return change

        return collect


def kind(message: Message) -> str:
    """The type of a message, "" if it has none."""
    return str(message.get("type", ""))
