"""Whose code a frame is, and what it is called."""

from __future__ import annotations

import json
import sys

import starlette.routing

import stethoscope
from stethoscope.frames import innermost_own, place_of, stack, traceback_places


def own(path: str) -> bool:
    namespace: dict[str, object] = {}
    exec(compile("import sys\nframe = sys._getframe()", path, "exec"), namespace)
    return place_of(namespace["frame"], 1).own  # type: ignore[arg-type]


def test_own_code_is_neither_of_python_nor_of_a_package_nor_ours() -> None:
    assert own("/srv/shop/views.py")
    assert own(__file__)
    assert not own(json.__file__)
    assert not own(starlette.routing.__file__)
    assert not own(stethoscope.__file__)
    assert not own("/usr/lib/python3/dist-packages/thing.py")
    assert not own("<string>")


def test_stack_begins_with_the_innermost_frame_and_names_its_line() -> None:
    def inner() -> str:
        places = stack(sys._getframe(), 3)
        assert len(places) == 3
        assert places[0].function.endswith("inner")
        assert places[0].file.endswith("tests/test_frames.py")
        assert innermost_own(places) == places[0]
        return str(places[0])

    assert inner().startswith("tests/test_frames.py:")


def test_traceback_is_read_from_where_it_was_raised() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        places = traceback_places(error.__traceback__, 10)
    assert places[0][0].file == "json/decoder.py"
    own_line = innermost_own(place for place, _ in places)
    assert own_line is not None
    assert own_line.function == "test_traceback_is_read_from_where_it_was_raised"
