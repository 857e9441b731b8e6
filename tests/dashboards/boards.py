"""Boards over moments built by hand or recorded for real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stethoscope.dashboards.board import Board
from stethoscope.dashboards.documents.window import Moment
from stethoscope.dashboards.endpoints import Endpoints
from stethoscope.names import QUERY_DURATION, REQUEST_DURATION, Metric
from stethoscope.settings import AccessRule
from stethoscope.store.snapshot import Family, Snapshot
from stethoscope.thresholds import Thresholds
from tests.dashboards.calling import nothing
from tests.exporters.snapshots import BORN, histogram

TOKEN = "s3cret"
API = "/_stethoscope/api"


def family(metric: Metric, **by_labels: list[float]) -> Family:
    """A histogram's family; label values are joined by a space in the argument's name."""
    return Family(metric, tuple(histogram(metric, labels.split(" "), values) for labels, values in by_labels.items()))


def busy() -> Snapshot:
    """A service with three endpoints and a database, 60 s old."""
    requests = family(
        REQUEST_DURATION,
        **{
            "GET /fast 200 http ": [0.01] * 99 + [0.1],
            "GET /slow 200 http ": [1.0, 2.0],
            "GET /slow 500 http ValueError": [3.0],
            "POST /slow 200 http client_disconnect": [0.5],
        },
    )
    queries = family(QUERY_DURATION, **{"sqlite SELECT item ": [0.001] * 9 + [0.5], "sqlite INSERT item Locked": [0.2]})
    families = {one.metric.name: one for one in (requests, queries)}
    return Snapshot("shop", BORN + 60, families, workers=(41, 42))


def board(
    source: Callable[[], Snapshot] = busy,
    *,
    token: str | None = TOKEN,
    access: AccessRule | None = None,
    moment: Callable[[], Moment] | None = None,
    thresholds: Thresholds = Thresholds(),  # noqa: B008 - immutable
    told: list[tuple[str, Exception]] | None = None,
) -> Endpoints:
    """Endpoints with a board; ``told`` gets the failures."""
    failures: list[tuple[str, Exception]] = [] if told is None else told

    def on_error(part: str, error: Exception) -> None:
        failures.append((part, error))

    made = Board(
        moment or (lambda: Moment(source())), token=token, access=access, thresholds=thresholds, on_error=on_error
    )
    return Endpoints(
        source,
        prefix="/_stethoscope",
        token=token,
        access=access,
        foreign=nothing,
        board=made,
        on_error=on_error,
    )


Document = dict[str, Any]
