"""Who is let in."""

from __future__ import annotations

import pytest
from starlette.types import Scope

from stethoscope.dashboards.access import anyone, holds, loopback, networks
from tests.dashboards.calling import LOOPBACK, REMOTE, http_scope

LOCAL_HOST = ("host", "localhost:8000")


def bearing(*values: str) -> Scope:
    return http_scope("/", headers=[("authorization", value) for value in values])


@pytest.mark.parametrize("value", ["Bearer s3cret", "bearer s3cret", "BEARER   s3cret ", " Bearer s3cret"])
def test_bearer_of_the_token_is_let_in(value: str) -> None:
    assert holds(bearing(value), "s3cret")


@pytest.mark.parametrize(
    "values",
    [
        [], [""], ["Bearer"], ["Bearer "], ["Bearer s3cre"], ["Bearer s3crett"], ["Bearer S3CRET"], ["Basic s3cret"],
        ["s3cret"], ["Bearer s3cret", "Bearer s3cret"], ["Bearer s3cret, Bearer s3cret"], ["Bearer é"], ["Bearers3cret"],
    ],
)  # fmt: skip
def test_anyone_else_is_not(values: list[str]) -> None:
    assert not holds(bearing(*values), "s3cret")


def test_nobody_holds_a_token_that_is_not_set() -> None:
    assert not holds(bearing("Bearer None"), None)
    assert not holds(bearing("Bearer "), None)


def test_token_of_any_characters_is_compared_as_utf8() -> None:
    scope = http_scope("/")
    scope["headers"] = [(b"authorization", "Bearer clé🔑".encode())]
    assert holds(scope, "clé🔑")
    assert not holds(bearing("Bearer cle"), "clé")


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:9", "[::1]:8000", "app.localhost", "LOCALHOST"]
)
def test_loopback_lets_this_machine_in(peer: str, host: str) -> None:
    """B35"""
    assert loopback(http_scope("/metrics", client=(peer, 1), headers=[("host", host)]))
    assert loopback(http_scope("/metrics", client=(peer, 1)))


@pytest.mark.parametrize("client", [REMOTE, ("10.0.0.1", 1), ("::ffff:10.0.0.1", 1), ("testclient", 1), ("", 0), None])
def test_loopback_keeps_other_peers_and_unknown_ones_out(client: tuple[str, int] | None) -> None:
    """B35: a Unix socket has no peer address, and who connects to it is not known."""
    assert not loopback(http_scope("/metrics", client=client, headers=[LOCAL_HOST]))


@pytest.mark.parametrize(
    "header",
    [
        ("x-forwarded-for", "127.0.0.1"), ("X-Forwarded-For", "127.0.0.1"), ("forwarded", "for=127.0.0.1"),
        ("x-real-ip", "127.0.0.1"), ("via", "1.1 proxy"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "localhost"),
    ],
)  # fmt: skip
def test_a_forwarding_header_closes_and_never_opens(header: tuple[str, str]) -> None:
    """B35: behind a proxy on this machine every peer is loopback, and anyone can write the header."""
    near = http_scope("/metrics", client=LOOPBACK, headers=[LOCAL_HOST, header])
    far = http_scope("/metrics", client=REMOTE, headers=[LOCAL_HOST, header])
    for rule in (loopback, networks("127.0.0.0/8")):
        assert not rule(near)
        assert not rule(far)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "[", "10.0.0.1", "notlocalhost"]
)
def test_loopback_keeps_out_names_that_only_resolve_to_this_machine(host: str) -> None:
    """A21: DNS rebinding."""
    assert not loopback(http_scope("/metrics", client=LOOPBACK, headers=[("host", host)]))
    assert not loopback(http_scope("/metrics", client=LOOPBACK, headers=[LOCAL_HOST, ("host", host)]))


def test_networks_lets_their_peers_in() -> None:
    rule = networks("10.0.0.0/8", "2001:db8::/32")
    assert rule(http_scope("/", client=("10.1.2.3", 1)))
    assert rule(http_scope("/", client=("::ffff:10.1.2.3", 1)))
    assert rule(http_scope("/", client=("2001:db8::7", 1)))
    assert not rule(http_scope("/", client=("11.0.0.1", 1)))
    assert not rule(http_scope("/", client=None))


def test_networks_refuses_what_is_no_network() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/99"):
        networks("10.0.0.0/99")


def test_anyone_is_anyone() -> None:
    assert anyone(http_scope("/", client=None))
