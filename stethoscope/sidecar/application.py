"""Paths to answers.

| path | what |
|---|---|
| ``/metrics`` | all services in one exposition, told apart by the label ``service_name`` |
| ``/services/NAME/…`` | one service, with what its app serves below its prefix: live page, API, ``metrics`` |
| ``/…`` | the same for the only service; where there are several, ``/`` lists them |
| ``/services`` | the services, as Prometheus' HTTP service discovery reads them |
| ``/healthz`` | 200 while the process does its work; for everybody |
| ``/readyz`` | 200 when services can be found, whether there are any yet or not; for everybody |

All of it is below ``/_stethoscope`` too, as in an app, and leads to itself: a proxy may forward that alone. All but the last two take the token; without one they
are for this machine alone. The page's files, which hold no data, are for everybody.
"""

from __future__ import annotations

import json
from functools import partial
from html import escape
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from stethoscope.asgi import ASGIApp, Receive, Scope, Send, own_path
from stethoscope.dashboards.access import headers, loopback
from stethoscope.dashboards.board import Board
from stethoscope.dashboards.documents.window import Moment
from stethoscope.dashboards.endpoints import Endpoints
from stethoscope.dashboards.responses import Response as Answer
from stethoscope.dashboards.responses import page, respond, with_slash
from stethoscope.exporters.renamed import renamed
from stethoscope.exporters.together import together
from stethoscope.names.attributes import SERVICE_LABEL
from stethoscope.settings import OWN_NAMES, AccessRule
from stethoscope.sidecar.own import Own
from stethoscope.sidecar.watch import Watch
from stethoscope.store.exemplars import with_exemplars
from stethoscope.store.snapshot import Snapshot
from stethoscope.store.watched import Watched
from stethoscope.thresholds import Thresholds

_PREFIX: Final = "/_stethoscope"
_SERVICES: Final = "/services"
_OF_ALL: Final = ("/metrics", _SERVICES)
"""Paths that are about all services, however many there are."""

_POLICY: Final = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def application(
    watch: Watch, token: str | None, thresholds: Thresholds, own: Own, names: tuple[str, ...] = (OWN_NAMES,)
) -> ASGIApp:
    """The sidecar's ASGI app. Without ``token`` it answers to this machine only. ``names`` are those of requests in what is scraped."""
    services = _Services(watch, token, thresholds, own, names)
    watch.on_forgotten = services.forget

    async def health(request: Request) -> Response:
        return _state(watch.healthy, "the thread that looks for services has stopped")

    async def readiness(request: Request) -> Response:
        return _state(not watch.problems, "a folder cannot be read, the log says why")

    routes = [
        Route("/healthz", health),
        Route("/readyz", readiness),
        Mount("/services/{key}", app=services.one),
        Mount("", app=services.all),
    ]
    return Starlette(routes=[Mount(_PREFIX, routes=routes), *routes])


def _open_to(token: str | None) -> AccessRule | None:
    return loopback if token is None else None


def _nothing(snapshot: Snapshot, openmetrics: bool, names: frozenset[str] | None) -> bytes:
    """What the app's prometheus_client has beside our store is in the app's process, out of reach."""
    return b""


def _state(good: bool, problem: str) -> Response:
    return PlainTextResponse("ok\n" if good else f"{problem}\n", 200 if good else 503)


def _scraped(service: Watched, names: tuple[str, ...]) -> Snapshot:
    return renamed(with_exemplars(service), names)


def _together(watch: Watch, own: Own, names: tuple[str, ...]) -> Snapshot:
    snapshots = []
    for service in watch.services.values():
        try:
            snapshots.append(_scraped(service, names))
        except Exception as error:
            # What is wrong with one service must not hide the others.
            own.failed("snapshot", error)
    return together([*snapshots, own.snapshot()])


async def _targets(watch: Watch, scope: Scope) -> Answer:
    """The services as targets (Prometheus documentation, "Writing HTTP service discovery")."""
    [host] = headers(scope, b"host") or [b""]
    document = [
        {
            "targets": [host.decode("latin-1")],
            "labels": {
                "__scheme__": scope["scheme"],
                "__metrics_path__": f"{scope['root_path']}{_SERVICES}/{key}/metrics",
                SERVICE_LABEL: service.service,
            },
        }
        for key, service in watch.services.items()
    ]
    return page("application/json", json.dumps(document).encode())


async def _list(watch: Watch, scope: Scope) -> Answer:
    """Where the services' pages are."""
    links = [
        f'<li><a href="{escape(scope["root_path"])}{_SERVICES}/{escape(key)}/">{escape(service.service)}</a>'
        for key, service in watch.services.items()
    ]
    found = f"<ul>{''.join(links)}</ul>" if links else "<p>Nothing records here yet.</p>"
    html = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Stethoscope</title><h1>Services</h1>{found}'
    return page("text/html; charset=utf-8", html.encode(errors="replace"), (b"content-security-policy", _POLICY))


class _Services:
    """Answers for one service as its app does below its prefix, and for all of them together."""

    def __init__(
        self, watch: Watch, token: str | None, thresholds: Thresholds, own: Own, names: tuple[str, ...]
    ) -> None:
        self._watch = watch
        self._token = token
        self._thresholds = thresholds
        self._own = own
        self._names = names
        self._known: dict[str, tuple[Watched, Endpoints]] = {}
        self._together = Endpoints(
            lambda: _together(watch, own, names),
            prefix="",
            token=token,
            access=_open_to(token),
            pages={_SERVICES: partial(_targets, watch), "": partial(_list, watch)},
            foreign=_nothing,
            on_error=own.failed,
        )

    async def one(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Below ``/services/NAME``."""
        key = scope["path_params"]["key"]
        if service := self._watch.services.get(key):
            await self._of(key, service)(scope, receive, send)
        else:
            # Under its whole path, which leads nowhere: whether it exists is not for everybody to know.
            await self._together({**scope, "root_path": scope["app_root_path"]}, receive, send)

    async def all(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Below the root."""
        services, path = [*self._watch.services.items()], own_path(scope)
        if self._is_folder(path) and scope.get("method") in ("GET", "HEAD"):
            await respond(with_slash(scope), scope, send)
        elif len(services) == 1 and path.removesuffix("/") not in _OF_ALL:
            await self._of(*services[0])(scope, receive, send)
        else:
            await self._together(scope, receive, send)

    def _is_folder(self, path: str) -> bool:
        """Whether the page is below ``path``, which lacks a slash for that."""
        place, _, name = path.rpartition("/")
        return path == _PREFIX or (place == _SERVICES and name in self._watch.services)

    def _of(self, key: str, service: Watched) -> Endpoints:
        known = self._known.get(key)
        if known is None or known[0] is not service:
            known = self._known[key] = (service, self._endpoints(service))
        return known[1]

    def forget(self) -> None:
        """Keep nothing of services that have ended: each has a folder open, and a server without a name is a new one with each start."""
        for key, (service, _) in list(self._known.items()):
            if self._watch.services.get(key) is not service:
                self._known.pop(key, None)

    def _endpoints(self, service: Watched) -> Endpoints:
        board = Board(
            lambda: Moment(service.snapshot(), service.history()),
            service,
            token=self._token,
            access=_open_to(self._token),
            thresholds=self._thresholds,
            on_error=self._own.failed,
        )
        return Endpoints(
            lambda: _scraped(service, self._names),
            prefix="",
            token=self._token,
            access=_open_to(self._token),
            foreign=_nothing,
            board=board,
            on_error=self._own.failed,
        )
