"""The observer that tells Sentry of requests what the SDK's own integrations do not know.

Where one of them serves the app, it makes transactions and events, and we complete them. Where none does
(plain ASGI), we do what it would: a scope for each request, a transaction where tracing is on, and an
event for each exception.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from time import perf_counter
from typing import TYPE_CHECKING, Final, cast

import sentry_sdk
from sentry_sdk.tracing_utils import has_tracing_enabled
from sentry_sdk.utils import event_from_exception

from stethoscope.asgi import Scope
from stethoscope.exporters.sentry.client import CARRIED, SERVED, Client, is_reported

if TYPE_CHECKING:
    from stethoscope.current import Current
    from stethoscope.exporters.sentry.switch import Details
    from stethoscope.middleware.exchange import Exchange
    from stethoscope.middleware.layer import Layer
    from stethoscope.settings import Settings

clock = perf_counter
"""Seconds, as ``Current.started`` has them."""

_LEFT: Final = ("client_disconnect", "cancelled")
_DEEPEST: Final = 32


class SentryRequests:
    """For all requests of one layer. Any thread and event loop; what is sent is sent by the SDK's own thread."""

    def __init__(self, layer: Layer, settings: Settings, client: Client, details: Details) -> None:
        budget = settings.thresholds.request_p95
        self._budget = budget.warn or budget.critical or 0.0
        self._is_served = _is_served_by_integration(layer.app)
        self._client = client
        self._details = details
        client.describe = self._describe
        client.watch()

    def started(self, exchange: Exchange) -> None:
        self._client.watch()
        if self._is_served:
            return
        stack = ExitStack()
        stack.enter_context(sentry_sdk.isolation_scope()).clear_breadcrumbs()
        if has_tracing_enabled(sentry_sdk.get_client().options) and sentry_sdk.get_current_span() is None:
            transaction = sentry_sdk.continue_trace(
                _headers(exchange.scope),
                op="http.server",
                name=exchange.scope["path"],
                source="url",
                origin="auto.http.stethoscope",
            )
            stack.enter_context(
                sentry_sdk.start_transaction(transaction, custom_sampling_context={"asgi_scope": exchange.scope})
            )
        exchange.carried = {**(exchange.carried or {}), CARRIED: stack}

    def ended(self, exchange: Exchange, status: int, seconds: float, exception: BaseException | None) -> None:
        if isinstance(exception, Exception) and exchange.error not in _LEFT and not is_reported(exception, exchange):
            client = sentry_sdk.get_client()
            event, hint = event_from_exception(
                exception, client_options=client.options, mechanism={"type": "stethoscope", "handled": False}
            )
            sentry_sdk.capture_event(event, hint=hint)
        transaction = sentry_sdk.get_current_scope().transaction
        if transaction is not None and transaction.op in SERVED:
            # Also for one that ends outside of us, where nothing is current any more.
            route = self._client.route(exchange)
            transaction.name, transaction.source = route, "route"
            transaction.set_tag("request_id", exchange.request_id)
            transaction.set_tag("http.route", route)
            transaction.set_context("stethoscope", self._describe(exchange, seconds))
            if status:
                transaction.set_http_status(status)

    def left(self, exchange: Exchange) -> None:
        stack = None if exchange.carried is None else exchange.carried.get(CARRIED)
        if stack is not None:
            cast("ExitStack", stack).close()

    def close(self, seconds: float) -> None:
        """The app has shut down: have the SDK send what waits."""
        sentry_sdk.flush(timeout=seconds)

    def _describe(self, current: Current, seconds: float | None = None) -> dict[str, object]:
        """How it went, or goes so far: what took long, and what was repeated."""
        seconds = clock() - current.started if seconds is None else seconds
        told: dict[str, object] = {
            "request_id": current.request_id,
            "seconds": round(seconds, 6),
            "slow": seconds > self._budget,
            "budget_seconds": self._budget,
        }
        parts: dict[str, object] = {}
        for name, share in (current.shares or {}).items():
            parts[f"{name}_seconds"], parts[f"{name}_times"] = round(share.seconds, 6), share.pieces
        return {**parts, **told, **self._details(current)}


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _is_served_by_integration(app: object) -> bool:
    """Whether an integration of the SDK that is on has the framework of anything in the app's stack, or is in it."""
    active = sentry_sdk.get_client().integrations
    return any(kind.__module__.partition(".")[0] in (*active, "sentry_sdk") for kind in _kinds(app))


def _kinds(app: object) -> Iterator[type]:
    for _ in range(_DEEPEST):
        if app is None:
            return
        yield from type(app).__mro__
        app = getattr(app, "app", None) or getattr(app, "middleware_stack", None)
