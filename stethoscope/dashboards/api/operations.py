"""Every question of the API: its path, what it takes, the shape of its answer, and the function that answers.

The dispatcher and the OpenAPI document are both made from this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, TypedDict, cast

from stethoscope.dashboards.api.parameters import LIMIT, OFFSET, PAGE_LIMIT, WINDOW, Parameter, Value
from stethoscope.dashboards.documents import alerts, database, diagnosis, overview, performance, requests, system
from stethoscope.dashboards.documents.window import Beside, Moment, Window, WindowName, described
from stethoscope.names import FINDINGS_FOUND, QUERIES, REQUESTS, STALLS
from stethoscope.store.snapshot import Snapshot
from stethoscope.store.timeline import Point
from stethoscope.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Question:
    """One request to answer: where the numbers are, what is beside them, what was asked, and the service's thresholds."""

    take: Callable[[], Moment]
    beside: Beside
    values: Mapping[str, Value]
    thresholds: Thresholds

    @property
    def moment(self) -> Moment:
        """Taken when it is asked for: some questions need no numbers."""
        return self.take()

    @property
    def name(self) -> WindowName:
        return cast("WindowName", self.values["window"])

    @property
    def window(self) -> Snapshot:
        return self.moment.window(self.name)

    def number(self, name: str) -> int:
        return cast("int", self.values[name])

    def text(self, name: str) -> str:
        return cast("str", self.values[name])

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


Answer = Callable[[Question], Mapping[str, Any] | None]
"""Returns the document; None where there is no such thing."""


@dataclass(frozen=True, slots=True)
class Operation:
    """``path`` is below the API's own; a part in braces stands for any text without a slash. ``shape`` is a TypedDict."""

    path: str
    summary: str
    shape: type
    answer: Answer
    parameters: Sequence[Parameter] = ()
    tag: str = "performance"

    @property
    def place(self) -> str | None:
        """The name of the path's variable part."""
        return self.path.partition("{")[2].partition("}")[0] or None


class Report(TypedDict):
    """Everything in one document."""

    service: Annotated[str, "The service's name."]
    window: Window
    requests: Annotated[performance.Requests, "All requests."]
    endpoints: Annotated[list[performance.Endpoint], "All endpoints, those that took most time first."]
    database: database.Database
    system: system.System
    alerts: Annotated[list[alerts.Alert], "Whatever is beyond its threshold, worst first."]
    findings: Annotated[list[diagnosis.Finding], "What was found wrong, worst first."]


class Slowest(TypedDict):
    """The slowest endpoints."""

    window: Window
    items: Annotated[list[performance.Endpoint], "Those with the highest 95th percentile first."]


class Timeline(TypedDict):
    """What happened in each step of time."""

    items: Annotated[list[Point], "One for each 15 seconds, oldest first."]


class ThresholdTable(TypedDict):
    """From what value on a number is trouble."""

    items: Annotated[dict[str, alerts.Limits], "The thresholds by name."]


def _report(question: Question) -> Report:
    window = question.window
    return Report(
        service=window.service,
        window=described(question.name, window),
        requests=performance.totals(window),
        endpoints=performance.endpoints(window, _last_errors(question)),
        database=_database(question),
        system=_system(question),
        alerts=alerts.alerts(window, question.thresholds),
        findings=_findings(question),
    )


def _endpoints(question: Question) -> performance.Endpoints:
    found = performance.endpoints(question.window, _last_errors(question))
    return performance.page(question.name, question.window, found, question.number("offset"), question.number("limit"))


def _endpoint(question: Question) -> performance.EndpointReport | None:
    return performance.endpoint_report(
        question.name, question.window, question.text("method"), question.text("route"), _last_errors(question)
    )


def _slowest(question: Question) -> Slowest:
    found = performance.slowest(performance.endpoints(question.window, _last_errors(question)))
    return Slowest(window=described(question.name, question.window), items=found[: question.number("limit")])


def _overview(question: Question) -> overview.Overview:
    return overview.overview(
        question.name, question.window, question.thresholds, _findings(question), _last_errors(question)
    )


def _database(question: Question) -> database.Database:
    return database.database(question.name, question.window, question.beside.notes(QUERIES))


def _pools(question: Question) -> database.Pools:
    return database.Pools(window=described(question.name, question.window), items=database.pools(question.window))


def _slow_queries(question: Question) -> database.SlowQueries:
    found = database.slow_queries(question.window, question.beside.notes(QUERIES))
    first = question.number("offset")
    return database.SlowQueries(
        window=described(question.name, question.window),
        total=len(found),
        offset=first,
        items=found[first : first + question.number("limit")],
    )


def _system(question: Question) -> system.System:
    return system.system(question.name, question.window, question.beside.notes(STALLS))


def _alerts(question: Question) -> alerts.Alerts:
    return alerts.alerts_document(question.name, question.window, question.thresholds)


def _thresholds(question: Question) -> ThresholdTable:
    return ThresholdTable(items=alerts.limits(question.thresholds))


def _findings(question: Question) -> list[diagnosis.Finding]:
    return diagnosis.findings(question.moment.window("all"), question.beside.notes(FINDINGS_FOUND), question.thresholds)


def _last_errors(question: Question) -> performance.LastErrors:
    return performance.last_errors(question.beside.brief_notes(REQUESTS))


def _diagnosis(question: Question) -> diagnosis.Diagnosis:
    return diagnosis.Diagnosis(items=_findings(question))


def _requests(question: Question) -> requests.FollowedPage:
    found = requests.matching(
        question.beside.brief_notes(REQUESTS),
        route=question["route"],
        status=question["status"],
        min_ms=question["min_ms"],
        request_id=question["request_id"],
    )
    return requests.page(found, question.number("offset"), question.number("limit"))


def _request(question: Question) -> requests.FollowedRequest | None:
    found = requests.find(question.beside.brief_notes(REQUESTS), question.text("request_id"))
    whole = found and question.beside.whole_note(REQUESTS, found.key)
    return requests.one(whole) if whole else None


def _timeline(question: Question) -> Timeline:
    history = question.beside.history()
    return Timeline(items=history.points(question.number("seconds")) if history else [])


_ROUTE: Final = Parameter("route", "string", "The route template, as the table of endpoints has it.")

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation("overview", "The service at a glance", overview.Overview, _overview, (WINDOW,), "overview"),
    Operation("alerts", "Whatever is beyond its threshold", alerts.Alerts, _alerts, (WINDOW,), "overview"),
    Operation("thresholds", "From what value on a number is trouble", ThresholdTable, _thresholds, (), "overview"),
    Operation("diagnosis", "What was found wrong, and its cure", diagnosis.Diagnosis, _diagnosis, (), "overview"),
    Operation(
        "timeline",
        "What happened in each step of the last hour, across restarts of workers",
        Timeline,
        _timeline,
        (Parameter("seconds", "integer", "How far back, in seconds.", 3600, 15, 3600),),
        "overview",
    ),
    Operation("performance", "The full report", Report, _report, (WINDOW,)),
    Operation(
        "performance/endpoints",
        "All endpoints, those that took most time first",
        performance.Endpoints,
        _endpoints,
        (WINDOW, PAGE_LIMIT, OFFSET),
    ),
    Operation(
        "performance/slowest", "The endpoints with the highest 95th percentile", Slowest, _slowest, (WINDOW, LIMIT)
    ),
    Operation(
        "performance/endpoint",
        "All about one endpoint",
        performance.EndpointReport,
        _endpoint,
        (
            WINDOW,
            Parameter("method", "string", "The HTTP method, as the table of endpoints has it.", required=True),
            replace(_ROUTE, required=True),
        ),
    ),
    Operation("database", "All database work", database.Database, _database, (WINDOW,), "database"),
    Operation("database/pool", "Connection pools", database.Pools, _pools, (WINDOW,), "database"),
    Operation(
        "database/slow-queries",
        "Statements that took long, those that took most time together first",
        database.SlowQueries,
        _slow_queries,
        (WINDOW, LIMIT, OFFSET),
        "database",
    ),
    Operation("system", "The machine, the workers, and their Python", system.System, _system, (WINDOW,), "system"),
    Operation(
        "requests",
        "Requests that can be followed, the latest first",
        requests.FollowedPage,
        _requests,
        (
            _ROUTE,
            Parameter("status", "integer", "The response's status.", None, 100, 599),
            Parameter("min_ms", "number", "The shortest duration, in milliseconds.", None, 0),
            Parameter("request_id", "string", "The correlation ID, or the beginning of it."),
            PAGE_LIMIT,
            OFFSET,
        ),
        "requests",
    ),
    Operation("requests/{request_id}", "One request, followed", requests.FollowedRequest, _request, (), "requests"),
)
