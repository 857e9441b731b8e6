"""What is in a note, by name and type. A part that is not of its type counts as not there: other versions write notes too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

Content = Mapping[str, object]


def text(content: Content, name: str) -> str:
    """Empty without one."""
    value = content.get(name)
    return value if isinstance(value, str) else ""


def number(content: Content, name: str) -> float | None:
    value = content.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def whole(content: Content, name: str) -> int:
    """Zero without one."""
    return int(number(content, name) or 0)


def parts(content: Content, name: str) -> Iterator[Content]:
    """The objects of a list."""
    value = content.get(name)
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())


def object_in(content: Content, name: str) -> Content:
    """Empty without one."""
    value = content.get(name)
    return value if isinstance(value, dict) else {}
