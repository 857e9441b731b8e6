"""Processes for tests: made quickly, told apart from the test's own, killed when the test is over.

    with running(record_until_killed, folder, acknowledged) as child:
        child.kill()

They are forked from a clean process without threads, so that a start takes milliseconds.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Final

PATIENCE: Final = 30.0
"""Seconds that a test waits for a child's word before it fails."""

_context: Final = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["stethoscope.store.recorder", "tests.process.children"])


class Child:
    """A running process, and the pipe between it and the test."""

    def __init__(self, task: Callable[..., None], arguments: tuple[object, ...]) -> None:
        self._pipe, theirs = _context.Pipe()
        self._process = _context.Process(target=_run, args=(task, theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        pid = self._process.pid
        assert pid is not None
        return pid

    def hear(self) -> object:
        """The next thing that the child says. Raises AssertionError when it says nothing in time."""
        assert self._pipe.poll(PATIENCE), f"process {self.pid} said nothing for {PATIENCE:g} s"
        return self._pipe.recv()

    def has_spoken(self) -> bool:
        """Whether there is something to hear."""
        return self._pipe.poll(0)

    def say(self, word: object) -> None:
        self._pipe.send(word)

    def kill(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal that ends the process, and wait for its end."""
        os.kill(self.pid, sig)
        self.wait()

    def wait(self) -> int:
        """Wait for the end; returns the exit code, negative for a signal."""
        self._process.join(PATIENCE)
        code = self._process.exitcode
        assert code is not None, f"process {self.pid} did not end within {PATIENCE:g} s"
        return code

    def close(self) -> None:
        self._process.kill()
        self._process.join(PATIENCE)
        self._process.close()
        self._pipe.close()


def start(task: Callable[..., None], *arguments: object) -> Child:
    """A child that runs ``task(pipe, *arguments)``; whoever starts it closes it."""
    return Child(task, arguments)


@contextmanager
def running(task: Callable[..., None], *arguments: object) -> Iterator[Child]:
    """A child that runs ``task(pipe, *arguments)`` and is gone when the block ends."""
    child = Child(task, arguments)
    try:
        yield child
    finally:
        child.close()


def _run(task: Callable[..., None], pipe: Connection, *arguments: object) -> None:
    task(pipe, *arguments)


def stay(pipe: Connection) -> None:
    """Wait until the test says something, or is over."""
    try:
        pipe.recv()
    except EOFError:
        os._exit(0)
