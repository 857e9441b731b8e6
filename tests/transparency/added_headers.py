"""What the documented response headers may change in a response's start, and nothing beside."""

from __future__ import annotations

import re
from collections.abc import Collection

from tests.transparency.pictures import Start

VALUES = {
    "x-request-id": re.compile(rb"[A-Za-z0-9._~:/+=@-]{1,128}"),
    "x-response-time": re.compile(rb"\d+\.\d{3}ms"),
    "x-process-time": re.compile(rb"\d+\.\d{6}"),
    "server-timing": re.compile(rb"app;dur=\d+\.\d+(, .+)?"),
}
# An app's own header of these names stays, and ours is not added.
YIELDING = ("x-response-time", "x-process-time")


def header_difference(bare: Start, wrapped: Start, added: Collection[str]) -> str | None:
    """Why the wrapped start is not the bare one plus the documented headers, or None if it is.

    The containers may be others (a generator cannot be extended, the app's own message must not be); the
    app's own items keep their order, their types and their number.
    """
    if bare.rest != wrapped.rest:
        return f"bare start {bare.rest}, wrapped {wrapped.rest}"
    theirs, ours = list(bare.headers), list(wrapped.headers)
    for name in sorted(added):
        if complaint := take_out(name, theirs, ours):
            return complaint
    return None if theirs == ours else f"bare headers {theirs}, wrapped, without ours, {ours}"


def take_out(name: str, theirs: list[object], ours: list[object]) -> str | None:
    """Remove the documented header from both lists; return what is wrong with it, if anything."""
    own = [item for item in theirs if named(item, name)]
    if own and name in YIELDING:
        return None
    if name == "x-request-id":
        theirs[:] = [item for item in theirs if not named(item, name)]
        own = []
    found = [item for item in ours if named(item, name)]
    if len(found) != len(own) + 1:
        return f"{len(found)} {name} headers, expected {len(own) + 1}"
    if not well_formed(found[-1], name):
        return f"{name} is {found[-1]}"
    del ours[len(ours) - 1 - ours[::-1].index(found[-1])]
    return None


def named(item: object, name: str) -> bool:
    return (
        isinstance(item, tuple) and len(item) == 3 and isinstance(item[1], bytes) and item[1].lower() == name.encode()
    )


def well_formed(item: object, name: str) -> bool:
    """Ours are tuples of lower-case bytes whose value has the documented form."""
    return (
        isinstance(item, tuple)
        and item[:2] == ("tuple", name.encode())
        and isinstance(item[2], bytes)
        and VALUES[name].fullmatch(item[2]) is not None
    )
