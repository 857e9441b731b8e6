"""A case: one scripted conversation between a server and an app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.transparency.stage import Stage

Script = Callable[[Stage], Awaitable[None]]
BOTH = ("asyncio", "trio")


@dataclass(frozen=True, slots=True)
class Case:
    """A script, and on which event loops it is played; "by hand" is on none at all."""

    name: str
    script: Script
    backends: tuple[str, ...]
    malformed: bool


class Collection:
    """The cases of one module, in the order in which they are written."""

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def add(self, *backends: str, malformed: bool = False) -> Callable[[Script], Script]:
        """Collect a script; what is `malformed` need not be extended, but must pass unchanged."""

        def collect(script: Script) -> Script:
            name = getattr(script, "__name__", "")
            self.cases.append(Case(name, script, backends or BOTH, malformed))
            return script

        return collect
