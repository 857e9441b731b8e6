"""Bad options: nothing starts, and one line says what was expected, what came, and what to do."""

from __future__ import annotations

import contextlib
import io
import socket
from argparse import ArgumentParser
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from stethoscope.cli import main
from stethoscope.sidecar.options import add_arguments, options
from tests.servers import HOST

LOOPBACK = ["--listen", "127.0.0.1:0"]


def refused(*arguments: str) -> str:
    """What the command says that starts nothing, and ends with status 2."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status: object = main(["sidecar", *arguments])
        except SystemExit as ended:
            status = ended.code
    assert (status, out.getvalue(), err.getvalue().count("\n")) == (2, "", 1), err.getvalue()
    return err.getvalue()


@pytest.mark.parametrize("address", ["0.0.0.0:9464", ":9464", "[::]:9464", "192.0.2.1:9464"])
def test_an_address_that_others_reach_needs_a_token(address: str) -> None:
    assert refused("--listen", address) == (
        f"stethoscope sidecar: --listen {address} can be reached by other machines: "
        "set STETHOSCOPE_TOKEN to a secret, or listen on 127.0.0.1:9464\n"
    )


@pytest.mark.parametrize(
    "address", ["9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:9464", "http://127.0.0.1:9464"]
)
def test_an_address_that_is_none(address: str) -> None:
    assert refused("--listen", address) == (
        f"stethoscope sidecar: --listen takes HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464; got {address!r}\n"
    )


def test_a_host_that_stands_for_nothing() -> None:
    assert "--listen takes an address of this machine, got 'no-such-host.invalid': " in refused(
        "--listen", "no-such-host.invalid:9464"
    )


def test_an_address_of_another_machine() -> None:
    said = refused("--listen", "192.0.2.1:9464", "--token", "long-enough")
    assert said.startswith("stethoscope sidecar: cannot listen on 192.0.2.1:9464: ")
    assert said.endswith("; choose an address of this machine with --listen\n")


def test_a_port_in_use() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        assert refused("--listen", f"{HOST}:{port}") == (
            f"stethoscope sidecar: cannot listen on {HOST}:{port}: "
            "the port is in use; end what listens there, or choose another one with --listen\n"
        )


@pytest.mark.parametrize("token", ["short", "with spaces in it", ""])
def test_a_token_that_is_none_is_not_repeated(token: str) -> None:
    said = refused("--token", token)
    assert said == (
        "stethoscope sidecar: token='…' is not valid: expected at least 8 visible ASCII characters without spaces\n"
    )


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STETHOSCOPE_TOKEN", "short")
    assert "STETHOSCOPE_TOKEN='…' is not valid" in refused()


def test_an_unknown_user() -> None:
    assert refused("--user", "no-such-user") == (
        "stethoscope sidecar: --user takes the name or number of a user on this machine, got 'no-such-user'\n"
    )


@pytest.mark.parametrize("option", ["--service", "--dir"])
def test_an_empty_name(option: str) -> None:
    assert "--service takes the name of a service and --dir a folder, got ''" in refused(option, "")


def test_an_unknown_option() -> None:
    assert refused("--port", "1") == (
        "stethoscope sidecar: unrecognized arguments: --port 1; see 'stethoscope sidecar --help'\n"
    )


def test_names_that_there_are_not() -> None:
    assert "names" in (message := refused("--names", "prometheus"))
    assert "'prometheus'" in message
    assert "instrumentator, starlette_exporter, stethoscope" in message


def test_a_certificate_without_its_key() -> None:
    assert refused("--tls-cert", "cert.pem") == (
        "stethoscope sidecar: --tls-cert and --tls-key go together: give both or neither\n"
    )


def files(folder: Path) -> dict[str, Path]:
    """PEM files: a certificate, its key, the key of another one, and the key with a passphrase."""
    one, other = trustme.CA().issue_cert(HOST), trustme.CA().issue_cert(HOST)
    written = {name: folder / name for name in ("cert", "key", "other", "locked")}
    one.cert_chain_pems[0].write_to_path(written["cert"])
    one.private_key_pem.write_to_path(written["key"])
    other.private_key_pem.write_to_path(written["other"])
    key = load_pem_private_key(one.private_key_pem.bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    written["locked"].write_bytes(locked)
    return written


@pytest.mark.parametrize(
    ("certificate", "key", "reason"),
    [
        ("missing", "key", "No such file or directory"),
        ("key", "key", "PEM lib"),
        ("cert", "other", "values mismatch"),
        ("cert", "locked", "the key has a passphrase"),
    ],
)
def test_tls_files_that_can_not_be_used(certificate: str, key: str, reason: str, tmp_path: Path) -> None:
    written = files(tmp_path)
    cert_file, key_file = written.get(certificate, tmp_path / certificate), written[key]
    said = refused(*LOOPBACK, "--tls-cert", str(cert_file), "--tls-key", str(key_file))
    assert f"--tls-cert {cert_file} and --tls-key {key_file} cannot be used, expected a PEM certificate chain" in said
    assert reason.lower() in said.lower().replace("_", " ")


def test_a_relative_folder_is_that_of_whoever_types_it_and_none_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parser = ArgumentParser()
    add_arguments(parser)
    assert options(parser.parse_args(["--dir", "metrics"]), {}).places == (str(tmp_path / "metrics"),)
    monkeypatch.setenv("STETHOSCOPE_DIR", "metrics")
    assert "STETHOSCOPE_DIR='metrics' is not valid: expected the absolute path of a folder" in refused(*LOOPBACK)
