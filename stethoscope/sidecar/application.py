"""Paths to answers.

| path | what |
|---|---|
| ``/metrics`` | all services in one exposition, told apart by the label ``service_name`` |
| ``/services/NAME/…`` | one service, with what its app serves below its prefix: ``metrics``, and whatever else `Endpoints` has |
| ``/services`` | the services, as Prometheus' HTTP service discovery reads them |
| ``/healthz`` | 200 while the process does its work; for everybody |
| ``/readyz`` | 200 when services can be found, whether there are any yet or not; for everybody |

``/_stethoscope/metrics`` is ``/metrics`` too, as in an app. All but the last two take the token; without one they
are for this machine alone.
"""

from __future__ import annotations

import json
from weakref import WeakKeyDictionary

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from stethoscope.asgi import ASGIApp, Receive, Scope, Send
from stethoscope.dashboards.access import headers, loopback
from stethoscope.dashboards.board import Board
from stethoscope.dashboards.documents.window import Moment
from stethoscope.dashboards.endpoints import Endpoints
from stethoscope.dashboards.responses import Response as Answer
from stethoscope.dashboards.responses import page
from stethoscope.exporters.together import SERVICE_LABEL, together
from stethoscope.settings import AccessRule
from stethoscope.sidecar.own import Own
from stethoscope.sidecar.watch import Watch
from stethoscope.store.snapshot import Snapshot
from stethoscope.store.watched import Watched


def application(watch: Watch, token: str | None, own: Own) -> ASGIApp:
    """The sidecar's ASGI app. Without ``token`` it answers to this machine only."""
    every = Endpoints(
        lambda: _together(watch, own),
        prefix="",
        token=token,
        access=_open_to(token),
        pages={"/services": lambda scope: _services(watch, scope)},
        foreign=_nothing,
        on_error=own.failed,
    )

    async def health(request: Request) -> Response:
        return _state(watch.healthy, "the thread that looks for services has stopped")

    async def readiness(request: Request) -> Response:
        return _state(not watch.problems, "a folder can not be read, the log says why")

    return Starlette(
        routes=[
            Route("/healthz", health),
            Route("/readyz", readiness),
            Mount("/services/{key}", app=_OneService(watch, token, own, every)),
            Mount("/_stethoscope", app=every),
            Mount("", app=every),
        ]
    )


def _open_to(token: str | None) -> AccessRule | None:
    return loopback if token is None else None


def _nothing(snapshot: Snapshot, openmetrics: bool, names: frozenset[str] | None) -> bytes:
    """What the app's prometheus_client has beside our store is in the app's process, out of reach."""
    return b""


def _state(good: bool, problem: str) -> Response:
    return PlainTextResponse("ok\n" if good else f"{problem}\n", 200 if good else 503)


def _together(watch: Watch, own: Own) -> Snapshot:
    snapshots = []
    for service in watch.services.values():
        try:
            snapshots.append(service.snapshot())
        except Exception as error:
            # What is wrong with one service must not hide the others.
            own.failed("snapshot", error)
    return together([*snapshots, own.snapshot()])


async def _services(watch: Watch, scope: Scope) -> Answer:
    """The services as targets (Prometheus documentation, "Writing HTTP service discovery")."""
    [host] = headers(scope, b"host") or [b""]
    document = [
        {
            "targets": [host.decode("latin-1")],
            "labels": {
                "__scheme__": scope["scheme"],
                "__metrics_path__": f"/services/{key}/metrics",
                SERVICE_LABEL: service.service,
            },
        }
        for key, service in watch.services.items()
    ]
    return page("application/json", json.dumps(document).encode())


class _OneService:
    """Answers below ``/services/NAME`` as the service's app does below its prefix."""

    def __init__(self, watch: Watch, token: str | None, own: Own, others: ASGIApp) -> None:
        self._watch = watch
        self._token = token
        self._own = own
        self._others = others
        self._endpoints: WeakKeyDictionary[Watched, Endpoints] = WeakKeyDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = self._watch.services.get(scope["path_params"]["key"])
        if service is None:
            # Under its whole path, which leads nowhere: whether it exists is not for everybody to know.
            await self._others({**scope, "root_path": scope["app_root_path"]}, receive, send)
        else:
            await self._of(service)(scope, receive, send)

    def _of(self, service: Watched) -> Endpoints:
        if service not in self._endpoints:
            self._endpoints[service] = Endpoints(
                service.snapshot,
                prefix="",
                token=self._token,
                access=_open_to(self._token),
                foreign=_nothing,
                board=Board(
                    lambda: Moment(service.snapshot(), service.history(), service.notes),
                    token=self._token,
                    access=_open_to(self._token),
                    on_error=self._own.failed,
                ),
                on_error=self._own.failed,
            )
        return self._endpoints[service]
