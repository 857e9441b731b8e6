"""Where code is: frames of a running stack or of a traceback as plain data, and which of them are the app's own.

Only file, line and function are taken, never the values of variables.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from types import FrameType, TracebackType
from typing import Final, NamedTuple

_PACKAGE: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep
_PACKAGE_PARENT: Final = os.path.dirname(_PACKAGE.rstrip(os.sep)) + os.sep
_LAYER: Final = os.path.join(_PACKAGE, "middleware", "layer.py")
_STANDARD: Final = os.path.dirname(os.__file__) + os.sep
_INSTALLED: Final = re.compile(r".*[/\\](?:site|dist)-packages[/\\]")
_MOST_CHARACTERS: Final = 160


class Place(NamedTuple):
    """A line that runs. ``own`` says that it is the app's, and not from an installed package, Python or us."""

    file: str
    line: int
    function: str
    own: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


def stack(frame: FrameType | None, most: int) -> list[Place]:
    """Of a frame and its callers, the innermost first, as far out as our middleware: beyond it there is only the server."""
    places: list[Place] = []
    while frame is not None and len(places) < most and frame.f_code.co_filename != _LAYER:
        places.append(place_of(frame, frame.f_lineno))
        frame = frame.f_back
    return places


def traceback_places(traceback: TracebackType | None, most: int) -> list[tuple[Place, str]]:
    """Of an exception, the innermost first, each with the path of its file. Those of our middleware and beyond are left out."""
    frames = [(frame, line) for frame, line in _walk(traceback) if frame.f_code.co_filename != _LAYER]
    return [(place_of(frame, line), frame.f_code.co_filename) for frame, line in reversed(frames[-most:])]


def _walk(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def place_of(frame: FrameType, line: int | None) -> Place:
    file, own = _file(frame.f_code.co_filename)
    return Place(file, line_of_source(frame, line or 0), frame.f_code.co_qualname, own)


def line_of_source(frame: FrameType, line: int) -> int:
    """The line that somebody wrote: of a template of Jinja's for one of the code that was made of it. Never raises."""
    template = frame.f_globals.get("__jinja_template__")
    if template is None:
        return line
    try:
        return int(template.get_corresponding_lineno(line))
    except Exception:  # whatever calls itself so
        return line


def innermost_own(places: Iterable[Place]) -> Place | None:
    """The app's line that all the others were called by; None where no line of the app's runs."""
    return next((place for place in places if place.own), None)


@lru_cache(maxsize=4096)
def _file(path: str) -> tuple[str, bool]:
    """A file's name for people, and whether it is the app's."""
    installed = _INSTALLED.match(path)
    own = not (installed or path.startswith(("<", _STANDARD, _PACKAGE)))
    shown = path[installed.end() :] if installed else path
    for folder in (_PACKAGE_PARENT, _here(), _STANDARD):
        shown = shown.removeprefix(folder)
    return shown[-_MOST_CHARACTERS:], own


def _here() -> str:
    try:
        return os.getcwd() + os.sep
    except OSError:  # it was deleted
        return ""
