"""Attributes of a server span (OpenTelemetry semantic conventions 1.37, "HTTP server spans")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode

from stethoscope.asgi import Scope, known_methods
from stethoscope.names import OTHER_METHOD, UNMATCHED_ROUTE

if TYPE_CHECKING:
    from stethoscope.middleware.exchange import Exchange

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.37.0"
REQUEST_ID: Final = "stethoscope.request.id"
KEPT: Final = "stethoscope.sampling.kept"
"""Why a span that the sampler did not want is there all the same: ``slow`` or ``error``."""

Attribute = str | int
Attributes = dict[str, Attribute]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SECRET: Final = frozenset(("X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "sig", "X-Goog-Signature"))
"""Query parameters whose values the conventions want redacted (``url.query``)."""


class Conventions:
    """Tells requests in the conventions' words; ``query_strings`` lets spans hold those of requests."""

    def __init__(self, *, query_strings: bool) -> None:
        self._query_strings = query_strings
        self._methods = known_methods()

    def method(self, scope: Scope) -> str:
        method: str = scope["method"]
        return method if method in self._methods else OTHER_METHOD

    def name(self, scope: Scope, route: str | None) -> str:
        """``GET /users/{id}``, ``GET`` before the route is known and without one."""
        method = self.method(scope)
        verb = "HTTP" if method == OTHER_METHOD else method
        return verb if route is None or route == UNMATCHED_ROUTE else f"{verb} {route}"

    def at_start(self, scope: Scope, request_id: bytes) -> Attributes:
        scheme = scope.get("scheme", "http")
        method = self.method(scope)
        told: Attributes = {
            "http.request.method": method,
            "url.path": scope["path"],
            "url.scheme": scheme,
            REQUEST_ID: request_id.decode("ascii"),
        }
        if method == OTHER_METHOD:
            told["http.request.method_original"] = scope["method"]
        if version := scope.get("http_version"):
            told["network.protocol.version"] = version
        if client := scope.get("client"):
            told["client.address"] = client[0]
        host, agent = _two_headers(scope)
        address, port = _host(host) if host else (scope.get("server") or ("", None))[:2]
        if address:
            told["server.address"] = address
            if port := port or _DEFAULT_PORTS.get(scheme):
                told["server.port"] = port
        if agent:
            told["user_agent.original"] = agent.decode("latin-1")
        if self._query_strings and (query := scope.get("query_string")):
            told["url.query"] = redacted(query)
        return told

    def of_route(self, route: str | None) -> Attributes:
        return {"http.route": route} if route and route != UNMATCHED_ROUTE else {}

    def at_end(self, exchange: Exchange, route: str | None, status: int) -> Attributes:
        told = self.of_route(route)
        told["http.response.body.size"] = exchange.sent
        if exchange.received:
            told["http.request.body.size"] = exchange.received
        if status:
            told["http.response.status_code"] = status
        if exchange.error:
            told["error.type"] = exchange.error
        return told


def missing(told: Attributes, present: Mapping[str, object]) -> Attributes:
    """What a span does not tell yet."""
    return {name: value for name, value in told.items() if name not in present}


def redacted(query: bytes) -> str:
    """A query string without the values of parameters that are secrets by their names."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return urlencode([(name, "REDACTED" if name in _SECRET else value) for name, value in pairs])


def _two_headers(scope: Scope) -> tuple[bytes, bytes]:
    host = agent = b""
    for name, value in scope["headers"]:
        if name == b"host":
            host = host or value
        elif name == b"user-agent":
            agent = agent or value
    return host, agent


def _host(host: bytes) -> tuple[str, int | None]:
    """Address and port of a Host header, IPv6 in brackets or not; an address alone where the port is no number."""
    text = host.decode("latin-1")
    address, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        return text.strip("[]"), None
    return address.strip("[]"), int(port) if port.isascii() and port.isdigit() and len(port) < 6 else None
