"""The SDK's client: the app's, or one that is made from SENTRY_DSN; and what passes before an event leaves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import sentry_sdk
from sentry_sdk.transport import HttpTransportCore

from stethoscope import names
from stethoscope.current import CURRENT, Current
from stethoscope.exporters.sentry.scrubbing import Event, scrub, scrub_log, scrub_streamed
from stethoscope.names import UNMATCHED_ROUTE

if TYPE_CHECKING:
    from sentry_sdk.client import BaseClient

    from stethoscope.sentry_options import SentryOptions
    from stethoscope.settings import Settings
    from stethoscope.store.recorder import Recorder

Hint = dict[str, Any]
BeforeSend = Callable[[Event, Hint], Event | None]

CARRIED: Final = "sentry"
SERVED: Final = frozenset(("http.server", "websocket.server"))
"""Operations of transactions that are requests. Those of jobs, and whatever else an app makes, keep their names."""
_REPORTED: Final = "__stethoscope_reported__"
"""On an exception that an event was made of in a request: the ID of that."""


def initialise(options: SentryOptions) -> None:
    """``sentry_sdk.init()`` by SENTRY_DSN, unless the app has called it. Raises what that raises for a DSN that is none."""
    if is_initialised():
        return
    sentry_sdk.init(
        release=options.release,
        environment=options.environment,
        sample_rate=options.sample_rate,
        traces_sample_rate=options.traces_sample_rate,
        max_request_body_size="never",
        include_local_variables=options.local_variables,
    )
    _silence(sentry_sdk.get_client(), options)


def _silence(client: BaseClient, options: SentryOptions) -> None:
    """Where the client's environment does not report, take away what it sends with: what never passes a hook goes nowhere either.

    That is sessions, and the SDK's reports of what was dropped. A client without a DSN has no transport in the same way.
    """
    if options.environments and client.options.get("environment") not in options.environments:
        client.transport = None


def is_initialised() -> bool:
    return sentry_sdk.get_client().is_active()


class Client:
    """Has the events of the current client pass through us, after the app's own ``before_send``. Any thread.

    What happens to an event on its way: one of an environment that does not report is dropped, as is the second
    one of an exception; it is told what we know of the current request; and scrubbed.
    """

    def __init__(self, recorder: Recorder, settings: Settings, options: SentryOptions) -> None:
        self._recorder = recorder
        self._query_strings = settings.query_strings
        self._options = options
        self._watched: object = None
        self.describe: Callable[[Current], dict[str, object]] = lambda current: {}
        """What an event says of a request, as its context ``stethoscope``."""

    def watch(self) -> None:
        """Chain ourselves to the client that is current now: the app may have initialised the SDK again."""
        client = sentry_sdk.get_client()
        if client is self._watched:
            return
        self._watched = client
        experiments = client.options.get("_experiments") or {}
        for name, ours in {
            "before_send": self._pass,
            "before_send_transaction": self._pass,
            "before_send_log": self._pass_log,
            "before_send_span": self._pass_span,
        }.items():
            theirs = client.options.get(name) or experiments.get(name)
            if not isinstance(theirs, _Passing):
                client.options[name] = _Passing(theirs, ours)
        _silence(client, self._options)
        if isinstance(client.transport, HttpTransportCore):
            client.transport.on_dropped_event = self._lost  # type: ignore[assignment, method-assign]  # made to be overridden

    def _pass(self, event: Event, hint: Hint) -> Event | None:
        try:
            if self._options.environments and event.get("environment") not in self._options.environments:
                return None
            current = CURRENT.get()
            if _is_second(hint, current if _is_served(current) else None):
                return None
            if current is not None:
                self.tell(event, current)
            scrub(event, query_strings=self._query_strings, local_variables=self._options.local_variables)
        except Exception as error:
            self._recorder.failed("sentry", error)
            return None  # it may hold what must not leave
        return event

    def _pass_log(self, log: Event, hint: Hint) -> Event | None:
        try:
            scrub_log(log)
        except Exception as error:
            self._recorder.failed("sentry", error)
            return None
        return log

    def _pass_span(self, span: Event, hint: Hint) -> Event | None:
        """A span that is sent by itself, without a transaction."""
        try:
            scrub_streamed(span, query_strings=self._query_strings)
        except Exception as error:
            self._recorder.failed("sentry", error)
            return {**span, "name": "", "attributes": {}}  # none can be dropped
        return span

    def tell(self, event: Event, current: Current) -> None:
        """What the SDK's integrations do not know, or get wrong: the whole route template.

        Of what a task does once its request is over, and of transactions that are no requests, only where it comes from.
        """
        event.setdefault("tags", {})["request_id"] = current.request_id
        if not _is_served(current) or _is_of_another_kind(event):
            return
        route = self.route(current)
        event["transaction"] = route
        event["transaction_info"] = {"source": "route"}
        event["tags"]["http.route"] = route
        event.setdefault("contexts", {})["stethoscope"] = self.describe(current)

    def route(self, current: Current) -> str:
        return current.route_by_now() or UNMATCHED_ROUTE

    def _lost(self, reason: str) -> None:
        try:
            self._recorder.counter(names.DROPPED_EXPORTS, ("sentry", reason)).add(1.0)
            self._recorder.warn_once(
                "sentry lost",
                "events for Sentry are lost (%s), which stethoscope_dropped_exports_total counts from now on; "
                "the app is not affected",
                reason,
            )
        except Exception as error:  # a log handler's
            self._recorder.failed("sentry", error)


class _Passing:
    """The app's hook, then ours."""

    def __init__(self, theirs: BeforeSend | None, ours: BeforeSend) -> None:
        self._theirs = theirs
        self._ours = ours

    def __call__(self, event: Event, hint: Hint) -> Event | None:
        passed = event if self._theirs is None else self._theirs(event, hint)
        return None if passed is None else self._ours(passed, hint)


def is_reported(error: BaseException, current: Current) -> bool:
    """Whether there was an event of an exception in this request."""
    return getattr(error, _REPORTED, None) == current.id


def _is_served(current: Current | None) -> bool:
    """Whether the app still serves it; a task that it has started goes on in its context for as long as it likes."""
    return current is not None and current.token is not None


def _is_of_another_kind(event: Event) -> bool:
    """Whether it is a transaction that is no request."""
    trace = (event.get("contexts") or {}).get("trace") or {}
    return event.get("type") == "transaction" and trace.get("op") not in SERVED


def _is_second(hint: Hint, current: Current | None) -> bool:
    """Whether there was an event of an exception in the request; notes that there is one now.

    One exception object that is raised again and again is one event a request. Outside of requests the SDK tells what
    comes twice; only what comes from a request, to a layer outside of ours, is known to us, and only the first time.
    """
    raised = hint.get("exc_info")
    error = raised[1] if raised else None
    if error is None:
        return False
    try:
        if current is None:
            return error.__dict__.pop(_REPORTED, None) is not None
        if is_reported(error, current):
            return True
        setattr(error, _REPORTED, current.id)
    except Exception:  # an exception that takes no attributes
        pass
    return False
