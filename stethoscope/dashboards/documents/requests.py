"""Requests that can be followed: which there are, and one of them from its arrival to its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, TypedDict

from stethoscope.store.notes import Note


class Followed(TypedDict):
    """A request that was kept: among the slowest of its route, failed, or of the sample."""

    request_id: Annotated[str, "Its correlation ID, as in logs and in the response's X-Request-ID."]
    at_unix_seconds: Annotated[float, "When it ended, as Unix time."]
    method: Annotated[str, "The HTTP method."]
    route: Annotated[str, "The route template."]
    status: Annotated[int | None, "The response's status; none when nothing was sent."]
    duration_seconds: Annotated[float | None, "Time from its arrival to the last byte of its response."]
    error_type: Annotated[str, "What went wrong; empty when nothing did."]
    trace_id: Annotated[str, "The trace that it is a part of, 32 hexadecimal digits; empty without one."]


class FollowedPage(TypedDict):
    """A page of the requests that were kept."""

    total: Annotated[int, "Requests that match, on all pages."]
    offset: Annotated[int, "Requests before the first of this page."]
    items: Annotated[list[Followed], "The latest first."]


class FollowedRequest(Followed):
    """One request with all that is known of it."""

    details: Annotated[dict[str, Any], "Its timeline, queries, exception and findings, as they were recorded."]


def followed(notes: Iterable[Note]) -> list[Followed]:
    return [_followed(note) for note in notes]


def matching(
    found: Iterable[Followed], *, route: str | None, status: int | None, min_ms: float | None, request_id: str | None
) -> list[Followed]:
    """Those that meet every condition that is given; of an ID its beginning is enough."""
    return [
        one
        for one in found
        if (route is None or one["route"] == route)
        and (status is None or one["status"] == status)
        and (min_ms is None or (one["duration_seconds"] or 0.0) * 1000 >= min_ms)
        and (request_id is None or one["request_id"].startswith(request_id))
    ]


def page(found: list[Followed], offset: int, limit: int) -> FollowedPage:
    return FollowedPage(total=len(found), offset=offset, items=found[offset : offset + limit])


def one(notes: Iterable[Note], request_id: str) -> FollowedRequest | None:
    """The latest request of this ID; None where none was kept."""
    for note in notes:
        if _followed(note)["request_id"] == request_id:
            return FollowedRequest(**_followed(note), details=dict(note.content))
    return None


def _followed(note: Note) -> Followed:
    content = note.content

    def text(name: str) -> str:
        value = content.get(name)
        return value if isinstance(value, str) else ""

    def number(name: str) -> float | None:
        value = content.get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    status = number("status")
    return Followed(
        request_id=text("request_id") or note.key,
        at_unix_seconds=note.written_at,
        method=text("method"),
        route=text("route"),
        status=None if not status else int(status),
        duration_seconds=number("duration_seconds"),
        error_type=text("error_type"),
        trace_id=text("trace_id"),
    )
