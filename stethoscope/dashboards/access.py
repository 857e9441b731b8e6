"""Who may read: bearer tokens, and rules about where a request comes from.

A rule is a callable from an ASGI scope to bool. The rules here trust only the peer's address, and
only if there is no sign of a proxy: anyone can write a forwarding header, so it never lets a request in, but
it says that the peer is not the one who asks, so it keeps the request out.
"""

from __future__ import annotations

import hmac
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from stethoscope.asgi import Scope
from stethoscope.settings import AccessRule

_FORWARDING: Final = frozenset(
    {
        b"forwarded",
        b"via",
        b"x-real-ip",
        b"x-client-ip",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"x-envoy-external-address",
    }
)


def headers(scope: Scope, name: bytes) -> list[bytes]:
    """All values of a header (``name`` in lower case), in the order in which they came."""
    return [value for key, value in scope["headers"] if key.lower() == name]


def holds(scope: Scope, token: str | None) -> bool:
    """Whether the request bears ``token`` (RFC 6750, section 2.1). Nobody holds a token that is None.

    Compared in constant time. A request with two Authorization headers holds nothing.
    """
    values = headers(scope, b"authorization")
    if token is None or len(values) != 1:
        return False
    scheme, _, credentials = values[0].strip().partition(b" ")
    # Both are looked at, so that the time tells nothing about which was wrong.
    return (scheme.lower() == b"bearer") & hmac.compare_digest(credentials.strip(), token.encode())


def anyone(scope: Scope) -> bool:
    """A rule for servers that only scrapers can reach."""
    return True


def loopback(scope: Scope) -> bool:
    """A rule for requests from this machine: a loopback peer, no sign of a proxy, and a Host that is this machine.

    The Host keeps a web page from reading through a name that it lets resolve to 127.0.0.1 (DNS
    rebinding). A peer without an address (Unix socket) is refused: nobody knows who connected there.
    A proxy on this machine that adds no forwarding header and writes a Host of its own is not seen;
    behind such a proxy use a token, or keep the path from being forwarded.
    """
    peer = _peer(scope)
    return peer is not None and peer.is_loopback and not _forwarded(scope) and _names_loopback(scope)


def networks(*blocks: str) -> AccessRule:
    """A rule for peers in one of these networks (``"10.0.0.0/8"``), with no sign of a proxy.

    Raises ValueError for anything that is not a network.
    """
    allowed = tuple(ip_network(block) for block in blocks)

    def rule(scope: Scope) -> bool:
        peer = _peer(scope)
        return peer is not None and any(peer in network for network in allowed) and not _forwarded(scope)

    return rule


def _peer(scope: Scope) -> IPv4Address | IPv6Address | None:
    client = scope.get("client")
    return _address(client[0]) if client else None


def _address(text: object) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(str(text))
    except ValueError:
        return None
    # A dual-stack listener sees IPv4 peers so; Python before 3.13 does not call 127.0.0.1 loopback then.
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _forwarded(scope: Scope) -> bool:
    return any(key.lower().startswith(b"x-forwarded") or key.lower() in _FORWARDING for key, _ in scope["headers"])


def _names_loopback(scope: Scope) -> bool:
    # HTTP/1.0 has no Host; no browser speaks it.
    return all(_is_loopback_host(value.decode("latin-1")) for value in headers(scope, b"host"))


def _is_loopback_host(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    address = _address(name)
    return address.is_loopback if address else name == "localhost" or name.endswith(".localhost")
