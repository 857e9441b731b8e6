"""Requests that can be followed: which there are, and one of them from its arrival to its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, TypedDict

from stethoscope.dashboards.documents.notes import Content, number, object_in, parts, text, whole
from stethoscope.store.notes import Note


class Followed(TypedDict):
    """A request that was kept: among the slowest of its route, failed, or of the sample."""

    request_id: Annotated[str, "Its correlation ID, as in logs and in the response's X-Request-ID."]
    at_unix_seconds: Annotated[float, "When it arrived, as Unix time."]
    method: Annotated[str, "The HTTP method."]
    route: Annotated[str, "The route template."]
    status: Annotated[int | None, "The response's status; none when nothing was sent."]
    duration_seconds: Annotated[float | None, "Time from its arrival to the last byte of its response."]
    error_type: Annotated[str, "What went wrong; empty when nothing did."]
    kept_as: Annotated[str, "Why it is kept: slow, failed, or a sample."]
    query_count: Annotated[int, "Database operations of the request."]


class FollowedPage(TypedDict):
    """A page of the requests that were kept."""

    total: Annotated[int, "Requests that match, on all pages."]
    offset: Annotated[int, "Requests before the first of this page."]
    items: Annotated[list[Followed], "The latest first."]


class Event(TypedDict):
    """Something that happened to a request."""

    event: Annotated[str, "What happened."]
    at_seconds: Annotated[float, "When, in seconds since the arrival; before it, where a proxy held the request."]


class Part(TypedDict):
    """A part of a request's time."""

    name: Annotated[str, "What the time was spent on."]
    seconds: Annotated[float, "How much time."]
    times: Annotated[int, "In how many pieces."]


class FollowedQuery(TypedDict):
    """A statement that the request ran."""

    fingerprint: Annotated[str, "What stands for the statement without its literals."]
    text: Annotated[str, "The statement without its literals."]
    times: Annotated[int, "How often it was run."]
    seconds: Annotated[float, "Time that all of it took."]
    site: Annotated[str, "The line of the app that ran it."]


class Line(TypedDict):
    """A line of a traceback."""

    file: Annotated[str, "The file."]
    line: Annotated[int, "The line's number."]
    function: Annotated[str, "The function that it is in."]
    own: Annotated[bool, "Whether it is the app's own code."]
    text: Annotated[str, "What it says; of the app's own lines only."]


class Raised(TypedDict):
    """An exception."""

    type: Annotated[str, "Its class."]
    lines: Annotated[list[Line], "The lines that it came through, the innermost first."]


class FollowedFinding(TypedDict):
    """Something wrong with the request."""

    kind: Annotated[str, "Which illness it is."]
    severity: Annotated[str, "How much it hurts."]
    subject: Annotated[str, "What it was found at."]
    evidence: Annotated[dict[str, Any], "The figures that show it, in base units."]


class FollowedRequest(Followed):
    """One request with all that is known of it."""

    trace_id: Annotated[str, "The trace that it is a part of, 32 hexadecimal digits; empty without one."]
    worker: Annotated[int, "Process id of the worker that answered it."]
    received_bytes: Annotated[int, "Bytes of its body that the app read."]
    sent_bytes: Annotated[int, "Bytes of the response's body."]
    timeline: Annotated[list[Event], "What happened when."]
    parts: Annotated[list[Part], "Where the time went, as far as it is known."]
    queries: Annotated[list[FollowedQuery], "Its statements, those that took longest first."]
    findings: Annotated[list[FollowedFinding], "What was wrong with it."]
    exception: Annotated[list[Raised], "The exception, then those that it came from."]


def matching(
    notes: Iterable[Note], *, route: str | None, status: int | None, min_ms: float | None, request_id: str | None
) -> list[Note]:
    """Those of requests that meet every condition that is given, the latest first; of an ID its beginning is enough."""
    found = [
        note
        for note in notes
        if (route is None or text(note.content, "route") == route)
        and (status is None or whole(note.content, "status") == status)
        and (min_ms is None or (number(note.content, "duration_seconds") or 0.0) * 1000 >= min_ms)
        and (request_id is None or text(note.content, "request_id").startswith(request_id))
    ]
    return sorted(found, key=_arrived_at, reverse=True)


def page(found: list[Note], offset: int, limit: int) -> FollowedPage:
    items = [_followed(note) for note in found[offset : offset + limit]]
    return FollowedPage(total=len(found), offset=offset, items=items)


def _arrived_at(note: Note) -> float:
    return number(note.content, "arrived_at") or note.written_at


def find(notes: Iterable[Note], request_id: str) -> Note | None:
    """The latest request of this ID; None where none was kept."""
    return next((note for note in notes if text(note.content, "request_id") == request_id), None)


def one(note: Note) -> FollowedRequest:
    content = note.content
    return FollowedRequest(
        **_followed(note),
        trace_id=text(content, "trace_id"),
        worker=whole(content, "worker"),
        received_bytes=whole(content, "received_bytes"),
        sent_bytes=whole(content, "sent_bytes"),
        timeline=[
            Event(event=text(event, "event"), at_seconds=number(event, "at_seconds") or 0.0)
            for event in parts(content, "timeline")
        ],
        parts=[
            Part(name=text(part, "name"), seconds=number(part, "seconds") or 0.0, times=whole(part, "times"))
            for part in parts(content, "parts")
        ],
        queries=[_query(query) for query in parts(content, "queries")],
        findings=[_finding(finding) for finding in parts(content, "findings")],
        exception=[
            Raised(type=text(error, "type"), lines=[_line(line) for line in parts(error, "lines")])
            for error in parts(content, "exception")
        ],
    )


def _followed(note: Note) -> Followed:
    content = note.content
    return Followed(
        request_id=text(content, "request_id"),
        at_unix_seconds=_arrived_at(note),
        method=text(content, "method"),
        route=text(content, "route"),
        status=whole(content, "status") or None,
        duration_seconds=number(content, "duration_seconds"),
        error_type=text(content, "error_type"),
        kept_as=text(content, "kept_as"),
        query_count=whole(content, "query_count"),
    )


def _query(query: Content) -> FollowedQuery:
    return FollowedQuery(
        fingerprint=text(query, "fingerprint"),
        text=text(query, "text"),
        times=whole(query, "times"),
        seconds=number(query, "seconds") or 0.0,
        site=text(query, "site"),
    )


def _finding(finding: Content) -> FollowedFinding:
    return FollowedFinding(
        kind=text(finding, "kind"),
        severity=text(finding, "severity"),
        subject=text(finding, "subject"),
        evidence=dict(object_in(finding, "evidence")),
    )


def _line(line: Content) -> Line:
    return Line(
        file=text(line, "file"),
        line=whole(line, "line"),
        function=text(line, "function"),
        own=line.get("own") is True,
        text=text(line, "text"),
    )
