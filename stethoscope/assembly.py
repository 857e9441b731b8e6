"""Putting it together: settings, recorder and endpoints, in a layer around an app."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from stethoscope.asgi import ASGIApp
from stethoscope.current import Current
from stethoscope.exporters.exporter import Closing
from stethoscope.exporters.later import Later
from stethoscope.exporters.sending import FLUSH, Sending, close_all, send
from stethoscope.exporters.sentry.switch import begin_sentry
from stethoscope.exporters.tracing.switch import server_spans
from stethoscope.instruments import sqlalchemy
from stethoscope.instruments.labelled import declare
from stethoscope.instruments.prometheus_client import adopt, foreign
from stethoscope.middleware.following.follower import follower_for
from stethoscope.middleware.frameworks import install_in_place, observe_routes, require_asgi3
from stethoscope.middleware.layer import Layer, OwnEndpoints
from stethoscope.middleware.observer import Announcer, Observer
from stethoscope.middleware.queueing import QueueObserver
from stethoscope.settings import OWN_NAMES, Options, Settings, ignored
from stethoscope.store.recorder import Recorder
from stethoscope.store.registry import main_module, recorder_for

if TYPE_CHECKING:
    from typing import Unpack

    from stethoscope.dashboards.board import Board
    from stethoscope.store.snapshot import Snapshot


logger = logging.getLogger("stethoscope")


class Stethoscope(Layer):
    """An ASGI app that watches the one inside it.

    ``options`` are settings: see `Settings`; environment variables stand in for those not given. Wrapping an app
    that is already watched is fine: the inner layer steps aside. Nothing is opened and no thread starts before the
    first request, or the first metric that is recorded. Raises `SettingsError` listing every mistake at once, and
    TypeError if ``app`` is not an ASGI 3 app.
    """

    def __init__(self, app: ASGIApp, **options: Unpack[Options]) -> None:
        require_asgi3(app)
        settings = Settings.resolve(**options)
        for doubt in ignored(os.environ):
            logger.warning(doubt)
        recorder = recorder_for(settings, name_of(app))
        sending = send(recorder)
        super().__init__(
            app, recorder, settings, _endpoints(recorder, settings), at_end=lambda: _close(sending, self.observers)
        )
        self.appoint(_observers(self, settings))
        adopt(recorder)
        sqlalchemy.adopt(recorder, settings, self.observe)
        observe_routes(app)


App = TypeVar("App", bound=Callable[..., Awaitable[Any]])


def install(app: App, **options: Unpack[Options]) -> App:
    """Watch ``app`` from outside everything else, error handlers included. Serve what it returns.

    That is the same object for Starlette, FastAPI, Litestar and Quart, and a `Stethoscope` around it for all
    others; ``app = stethoscope.install(app)`` is right for each. Settings and errors are those of `Stethoscope`.
    """

    def wrap(inner: ASGIApp) -> ASGIApp:
        return Stethoscope(inner, **options)

    return cast("App", install_in_place(app, wrap))


def name_of(app: Any) -> str:
    """What a service is called when nobody has named it: its app's title, else the module that the app is from."""
    title = getattr(app, "title", None)
    if isinstance(title, str) and title.strip():
        return title
    module = getattr(app, "__module__", None) or type(app).__module__
    return main_module() if module == "__main__" else str(module)


def _observers(layer: Layer, settings: Settings) -> Iterator[Observer]:
    """Who else is told of each request, outermost first."""
    if settings.tracing is not False:
        yield Later(layer, lambda: server_spans(layer, settings))
    from stethoscope.instruments.vitals import watch_worker  # asyncio with it, which only those who serve need

    worker = watch_worker(layer.recorder, settings.instruments, settings.thresholds)
    if worker is not None:
        yield Announcer(worker.arrived)
    if "queue" in settings.instruments:
        yield QueueObserver(layer.recorder)
    if settings.sentry is not None:
        yield Later(layer, begin_sentry(layer, settings, settings.sentry, _database_details))
    if "requests" in settings.instruments or settings.request_log:
        yield follower_for(layer.recorder, settings.request_log, [_database_details])


def _database_details(exchange: Current) -> Mapping[str, object]:
    if "database" not in (exchange.carried or {}):
        return {}
    from stethoscope.instruments.database.followed import followed  # not for apps that have none

    return followed(exchange)


def _close(sending: Sending | None, observers: Iterable[Observer]) -> None:
    """Deliver what is left, all of it at the same time, when the app has shut down."""
    others = [observer for observer in observers if isinstance(observer, Closing)]
    if sending is not None:
        sending.close(*others)
    else:
        close_all(others, FLUSH)


def _endpoints(recorder: Recorder, settings: Settings) -> OwnEndpoints | None:
    """What we serve inside the app: nothing, unless somebody may have it."""
    if settings.token is None and settings.auth is None and settings.metrics_path is None:
        return None
    from stethoscope.dashboards.endpoints import Endpoints  # not for those who serve nothing

    return Endpoints(
        lambda: _scraped(recorder, settings.names),
        prefix=settings.prefix,
        token=settings.token,
        access=settings.auth,
        metrics_path=settings.metrics_path,
        metrics_access=settings.metrics_access,
        foreign=foreign,
        board=_board(recorder, settings),
        on_error=recorder.failed,
    )


def _scraped(recorder: Recorder, conventions: tuple[str, ...]) -> Snapshot:
    from stethoscope.store.exemplars import with_exemplars

    declare()  # a counter that is not used yet is scraped as zero
    snapshot = with_exemplars(recorder)
    if conventions == (OWN_NAMES,):
        return snapshot
    from stethoscope.exporters.renamed import renamed  # not for those who keep to our names

    return renamed(snapshot, conventions)


_REST: Final = 5.0
"""Seconds between two checks whether anybody still wants what was made for the live page."""


def _board(recorder: Recorder, settings: Settings) -> Board:
    from stethoscope.dashboards.board import Board
    from stethoscope.dashboards.documents.window import Moment

    def moment() -> Moment:
        declare()
        return Moment(recorder.snapshot(), recorder.history())

    board = Board(
        moment,
        recorder,
        token=settings.token,
        access=settings.auth,
        thresholds=settings.thresholds,
        on_error=recorder.failed,
    )
    recorder.every_while(_REST, "live page", board, Board.rest)
    return board
