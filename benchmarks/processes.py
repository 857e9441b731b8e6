"""A process per contender that is told over its standard input when to work.

One question and one answer a line, both JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

Answer = dict[str, float]


class WorkerFailedError(RuntimeError):
    """A worker process ended, or answered with something other than one line of JSON."""


class Worker:
    """A fresh interpreter, this one's or another, that runs `module`, alive until the block ends; not thread-safe."""

    def __init__(
        self, module: str, arguments: Sequence[str], env: Mapping[str, str], python: str = sys.executable
    ) -> None:
        self.name = f"{module} {' '.join(arguments)}"
        self._process = subprocess.Popen(
            [python, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(env),
            text=True,
        )

    def ask(self, command: str, argument: float = 0) -> Answer:
        """Sends one command and waits for its answer; raises WorkerFailedError when none comes."""
        self.begin(command, argument)
        return self.finish()

    def begin(self, command: str, argument: float = 0) -> None:
        """Sends one command; `finish` takes its answer, so that several can work at once."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([command, argument]) + "\n")
        self._process.stdin.flush()

    def finish(self) -> Answer:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        try:
            answer: Answer = json.loads(line)
        except ValueError as error:
            raise WorkerFailedError(f"{self.name}: expected a line of JSON, got {line!r}") from error
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def answer_commands(commands: Mapping[str, Callable[[float], Answer]], lines: Iterable[str]) -> None:
    """The worker's side: answers each line until the coordinator closes the pipe."""
    for line in lines:
        command, argument = json.loads(line)
        print(json.dumps(commands[command](argument)), flush=True)
