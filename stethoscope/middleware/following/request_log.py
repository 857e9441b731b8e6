"""A file of requests as JSON lines, which several workers append to and take turns in rotating.

Lines are appended many at a time by one ``write`` to a file that is open for appending, so that lines of several
workers follow one another whole. A file that has become too large, or is of another day (UTC), is renamed; who does so
holds a lock, and the others go on writing meanwhile, into the old file or the new one.

Windows promises less: a process that writes seeks the end first, so that lines of workers that write at the same instant may be
torn, and a file that another has open at that moment is renamed the next time.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

if sys.platform != "win32":
    import fcntl

_FLAGS: Final[int] = os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""The last one is of Windows, which would write a carriage return before each line's end."""

MOST_BYTES: Final = 50_000_000
MOST_FILES: Final = 10
MOST_DAYS: Final = 14
_DAY: Final = 86_400


class RequestLog:
    """The file at ``path``, and those before it, ``PATH.2026-11-25T19-30-00``: ten at most, none older than 14 days.

    ``clock`` is Unix time in seconds. For one thread of a process; any number of processes.
    """

    def __init__(self, path: str, *, most_bytes: int = MOST_BYTES, clock: Callable[[], float] = time.time) -> None:
        self._path = os.path.abspath(path)
        self._most_bytes = most_bytes
        self._clock = clock
        self._torn = False
        """Whether the last line that was written here has no end, because the disk was full."""

    def append(self, lines: bytes) -> None:
        """Add whole lines. Raises OSError when they can not be written; a part of them may have been then."""
        with suppress(FileNotFoundError):  # not written to yet, or renamed by another this very moment
            if self._is_full(os.stat(self._path), len(lines)):
                self._rotate(len(lines))
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | _FLAGS, 0o600)
        try:
            self._write(descriptor, b"\n" + lines if self._torn else lines)
        finally:
            os.close(descriptor)

    def _write(self, descriptor: int, data: bytes) -> None:
        left = memoryview(data)
        while left:
            written = os.write(descriptor, left)
            self._torn = bool(left[written:])
            left = left[written:]

    def _is_full(self, file: os.stat_result, more: int) -> bool:
        is_of_today = file.st_mtime // _DAY == self._clock() // _DAY
        return file.st_size > 0 and (file.st_size + more > self._most_bytes or not is_of_today)

    def _rotate(self, more: int) -> None:
        lock = os.open(f"{self._path}.lock", os.O_RDWR | _FLAGS, 0o600)
        try:
            if _is_ours(lock) and self._is_full(os.stat(self._path), more):  # nobody else has done it meanwhile
                os.rename(self._path, self._name_of_old())
                self._remove_oldest()
        except PermissionError:
            if sys.platform != "win32":
                raise
        finally:
            os.close(lock)

    def _name_of_old(self) -> str:
        name = f"{self._path}.{time.strftime('%Y-%m-%dT%H-%M-%S', time.gmtime(self._clock()))}"
        number = 1
        while os.path.exists(name + (f"-{number}" if number > 1 else "")):
            number += 1
        return name + (f"-{number}" if number > 1 else "")

    def _remove_oldest(self) -> None:
        folder, base = os.path.split(self._path)
        old = re.compile(re.escape(base) + r"\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:-\d+)?")
        files = [entry for entry in os.scandir(folder) if old.fullmatch(entry.name)]
        files.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
        too_old = self._clock() - MOST_DAYS * _DAY
        for number, entry in enumerate(files):
            if number >= MOST_FILES or entry.stat().st_mtime < too_old:
                with suppress(OSError):
                    os.remove(entry.path)


def _is_ours(lock: int) -> bool:
    """Whether it is this process's turn to rename."""
    if sys.platform == "win32":
        return True  # who comes second finds a file that is not full any more
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
