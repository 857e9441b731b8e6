"""Where in the user's code something comes from.

A walk over the stack takes a microsecond or two, so it is for what has turned out to be of interest, never for
every query. What is known of a file is remembered, because the same ones come again and again.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from types import FrameType
from typing import Final

from stethoscope.frames import line_of_source

_MOST_FRAMES: Final = 150
_MOST_REMEMBERED: Final = 10_000

_OURS: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_STANDARD: Final = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")})
_INSTALLED: Final = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_INNER: Final = tuple(
    f"{place}{name}{os.sep}" for place in _INSTALLED for name in ("sqlalchemy", "sqlmodel", "greenlet")
)
"""Libraries that a query passes through whoever asks it."""

_USERS, _LIBRARY, _PASSED, _BORDER = range(4)
# By names and not by code objects, which take a microsecond to hash.
_remembered: Final[dict[str, int]] = {}
_texts: Final[dict[tuple[str, str, int], str]] = {}


class Depth:
    """How far up the stack something came from last time. The next time it is likely to come from there again."""

    __slots__ = ("code", "frames")

    def __init__(self) -> None:
        self.frames = 0
        """From `call_site_near` on; 0 where nothing is known."""
        self.code: object = None


def call_site() -> str:
    """The innermost line of the user's code that runs now, as ``path:line in function``; empty where there is none.

    Where only libraries are on the stack, it is the innermost of theirs that is none of SQLAlchemy's. Right in
    greenlets too, into whose parent the walk goes on. Any thread. Never raises.
    """
    try:
        return _find(sys._getframe(1))
    except Exception:
        return ""


def call_site_near(depth: Depth) -> str:
    """As `call_site`, without a walk if the same function runs as far up as last time.

    ``depth`` is the caller's to keep, one for each thing that comes through the same functions of libraries each time.
    """
    try:
        if depth.frames:
            frame = sys._getframe(depth.frames)
            if frame.f_code is depth.code:
                return _shown(frame)
    except ValueError:  # the stack is lower this time
        pass
    try:
        return _find(sys._getframe(1), depth)
    except Exception:
        return ""


def _find(start: FrameType, depth: Depth | None = None) -> str:
    frame: FrameType | None = start
    parent: object = None
    library: FrameType | None = None
    for passed in range(_MOST_FRAMES):
        if frame is None:
            # The end of a greenlet's own stack. That of its parent goes on.
            parent = getattr(parent or _greenlet(), "parent", None)
            frame = getattr(parent, "gr_frame", None)
            if frame is None:
                break
        kind = _kind(frame.f_code.co_filename)
        if kind == _USERS:
            if depth is not None and parent is None:
                depth.frames, depth.code = passed + 1, frame.f_code
            return _shown(frame)
        if kind == _BORDER:
            break
        if kind == _LIBRARY and library is None:
            library = frame
        frame = frame.f_back
    return _shown(library) if library else ""


def _greenlet() -> object:
    module = sys.modules.get("greenlet")
    return module.getcurrent() if module else None


def _kind(name: str) -> int:
    kind = _remembered.get(name)
    if kind is None:
        kind = _kind_of_file(name)
        if len(_remembered) < _MOST_REMEMBERED:
            _remembered[name] = kind
    return kind


def _kind_of_file(name: str) -> int:
    if name.startswith(_OURS):
        # Beyond our middleware there are only servers, and the main program that has started them.
        return _BORDER if name.endswith(f"middleware{os.sep}layer.py") else _PASSED
    if name.startswith("<") or any(part in name for part in _INNER):
        return _PASSED
    if any(part in name for part in _INSTALLED):
        return _LIBRARY
    return _PASSED if name.startswith(_STANDARD) else _USERS


def _shown(frame: FrameType) -> str:
    line = (frame.f_code.co_filename, frame.f_code.co_qualname, frame.f_lineno)
    text = _texts.get(line)
    if text is None:
        text = f"{_short(line[0])}:{line_of_source(frame, line[2])} in {line[1]}"[:256]
        if len(_texts) < _MOST_REMEMBERED:
            _texts[line] = text
    return text


def _short(path: str) -> str:
    """Relative to where the process runs, else the last three parts."""
    try:
        here = os.getcwd() + os.sep
    except OSError:
        here = "\0"
    return path.removeprefix(here) if path.startswith(here) else os.sep.join(path.split(os.sep)[-3:])
