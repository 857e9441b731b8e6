"""Who may read what from a sidecar."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from stethoscope.store.home import find_folder
from stethoscope.store.recorder import Recorder
from tests.process.stores import REQUESTS
from tests.scrape import AUTHORIZED, TOKEN
from tests.servers import HOST
from tests.sidecar.running import Sidecar, sidecar

PATHS = ["/metrics", "/_stethoscope/metrics", "/services", "/services/shop/metrics", "/services/shop/api/overview"]
PATHS += ["/api/overview", "/_stethoscope/api/overview"]
OPEN = ["/healthz", "/readyz"]
NOWHERE = ["/nope", "/services/nope/metrics", "/services/nope", "/services/nope/api/overview", "/services/shop/nope"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a service."""
    path = tmp_path_factory.mktemp("services")
    Recorder("shop", find_folder("shop", shared=True, directory=str(path))).counter(REQUESTS, ("/",)).add(1.0)
    return path


@pytest.fixture(scope="module")
def unguarded(shop: Path) -> Iterator[Sidecar]:
    with sidecar("--dir", str(shop)) as beside:
        yield beside


@pytest.fixture(scope="module")
def guarded(shop: Path) -> Iterator[Sidecar]:
    """Over TLS, with a token from the environment."""
    authority, folder = trustme.CA(), shop.parent
    certificate = authority.issue_cert(HOST)
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    options = ["--dir", str(shop), "--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem")]
    with sidecar(*options, tls=tls, env={"STETHOSCOPE_TOKEN": TOKEN}) as beside:
        yield beside


@pytest.mark.parametrize("path", PATHS)
def test_without_a_token_this_machine_may_read(unguarded: Sidecar, path: str) -> None:
    assert unguarded.get(path).status == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "headers", [{"host": "evil.example"}, {"x-forwarded-for": "127.0.0.1"}, {"forwarded": "for=127.0.0.1"}]
)
def test_without_a_token_nobody_reads_through_a_proxy_or_another_name(
    unguarded: Sidecar, path: str, headers: dict[str, str]
) -> None:
    """A21: DNS rebinding."""
    assert unguarded.get(path, **headers).status in (401, 403)


@pytest.mark.parametrize("path", PATHS)
def test_a_token_is_asked_for_and_opens(guarded: Sidecar, path: str) -> None:
    assert guarded.get(path).status == 401
    assert guarded.get(path, authorization="Bearer wrong").status == 401
    assert guarded.get(path, **AUTHORIZED).status == 200


@pytest.mark.parametrize("path", OPEN)
def test_probes_are_answered_without_a_token_and_whatever_the_host(guarded: Sidecar, path: str) -> None:
    answer = guarded.get(path, host="10.0.0.7:9464")
    assert (answer.status, answer.body) == (200, "ok\n")


@pytest.mark.parametrize("path", NOWHERE)
def test_what_is_not_there_is_not_found_by_bearers_and_not_told_to_others(guarded: Sidecar, path: str) -> None:
    assert guarded.get(path, **AUTHORIZED).status == 404
    assert guarded.get(path).status == 401


def test_the_services_are_told_over_tls(guarded: Sidecar) -> None:
    assert '"__scheme__": "https"' in guarded.get("/services", **AUTHORIZED).body


def test_the_token_is_in_no_log(guarded: Sidecar) -> None:
    assert TOKEN not in guarded.log()
    assert f"serving https://{HOST}:{guarded.port}/metrics for all services in " in guarded.log()


def test_only_reading_is_possible(unguarded: Sidecar) -> None:
    connection = unguarded._connection()
    connection.request("POST", "/metrics", body=b"x")
    assert connection.getresponse().status == 405
    connection.close()
