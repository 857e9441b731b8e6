"""The correlation ID goes on: outgoing HTTP calls carry the ID of the request that makes them.

Neither httpx nor aiohttp is imported here: a client is known by the module of its class, so that an
app that uses one of them does not pay for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from types import SimpleNamespace
from typing import Final, Protocol, TypeVar, cast

from stethoscope.current import request_id

HEADER: Final = "X-Request-ID"

_ACCEPTED: Final = "an httpx.Client, an httpx.AsyncClient or an aiohttp.ClientSession"

Client = TypeVar("Client")


class _Outgoing(Protocol):
    """An httpx request, or the parameters of aiohttp's ``on_request_start``."""

    @property
    def headers(self) -> MutableMapping[str, str]: ...


class _HooksByEvent(Protocol):
    @property
    def event_hooks(self) -> dict[str, list[Callable[..., object]]]: ...


class _TracedSession(Protocol):
    @property
    def trace_configs(self) -> list[object]: ...


def forward_request_id(client: Client) -> Client:
    """Makes ``client`` send `X-Request-ID` with every call made while a request is being served.

    ``client`` is an ``httpx.Client`` or ``httpx.AsyncClient`` (httpx2's too), or an
    ``aiohttp.ClientSession``, or an instance of a subclass; it is changed in place and returned.
    The ID is looked up anew for each call, in the context of the task that makes the call, so one
    client can serve all requests of a process. A header that the caller set, per call or on the
    client, stays. Calls made outside a request get none. Doing it twice is doing it once.

    Raises TypeError for anything else. The calls themselves never fail because of it.
    """
    for name in _class_names(client):
        if attach := _ATTACH.get(name):
            attach(client)
            return client
    raise TypeError(f"forward_request_id() takes {_ACCEPTED}; got {_described(client)}")


def _class_names(client: object) -> Iterator[tuple[str, str]]:
    for cls in type(client).__mro__:
        yield cls.__module__.partition(".")[0], cls.__name__


def _described(client: object) -> str:
    if isinstance(client, type):
        return f"the class {client.__module__}.{client.__qualname__}: pass an instance of it"
    return f"{type(client).__module__}.{type(client).__qualname__}"


def _add_header(outgoing: _Outgoing) -> None:
    try:
        current = request_id()
        if current is not None and HEADER not in outgoing.headers:
            outgoing.headers[HEADER] = current
    except Exception:
        # The call matters, its correlation does not.
        pass


async def _add_header_async(outgoing: _Outgoing) -> None:
    _add_header(outgoing)


async def _add_header_aiohttp(session: object, context: SimpleNamespace, params: _Outgoing) -> None:
    # aiohttp passes the very headers that it is about to send, and again those for each redirect.
    _add_header(params)


def _attach_httpx(client: object) -> None:
    _attach_hook(client, _add_header)


def _attach_httpx_async(client: object) -> None:
    _attach_hook(client, _add_header_async)


def _attach_hook(client: object, hook: Callable[..., object]) -> None:
    hooks = cast(_HooksByEvent, client).event_hooks["request"]
    if hook not in hooks:
        hooks.append(hook)


def _attach_aiohttp(client: object) -> None:
    """By a trace config: unlike a client middleware, no ``middlewares=`` of a single call replaces it."""
    from aiohttp import TraceConfig

    configs = cast(_TracedSession, client).trace_configs
    if any(_add_header_aiohttp in cast(TraceConfig, each).on_request_start for each in configs):
        return
    config = TraceConfig()
    config.on_request_start.append(_add_header_aiohttp)
    config.freeze()
    configs.append(config)


_ATTACH: Final[dict[tuple[str, str], Callable[[object], None]]] = {
    ("httpx", "Client"): _attach_httpx,
    ("httpx", "AsyncClient"): _attach_httpx_async,
    ("httpx2", "Client"): _attach_httpx,
    ("httpx2", "AsyncClient"): _attach_httpx_async,
    ("aiohttp", "ClientSession"): _attach_aiohttp,
}
