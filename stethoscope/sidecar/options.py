"""What the user asked for, checked before anything starts."""

from __future__ import annotations

import os
import re
import socket
import ssl
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from stethoscope.command import CommandError
from stethoscope.settings import Settings
from stethoscope.store.home import default_places
from stethoscope.thresholds import Thresholds

DEFAULT_LISTEN: Final = "127.0.0.1:9464"
_LISTEN: Final = re.compile(r"(?:\[([\w:.%]+)\]|([^:\[\]]*)):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Options:
    """``owner`` is the number of the user whose folders are believed, None for our own.

    ``services`` are the names to serve, empty for all. ``host`` is empty for all addresses.
    """

    services: tuple[str, ...]
    places: tuple[str, ...]
    owner: int | None
    host: str
    port: int
    token: str | None
    thresholds: Thresholds
    names: tuple[str, ...]
    certificate: str | None
    key: str | None

    def check_tls(self) -> None:
        """Raises `CommandError` for a certificate or key that cannot be used."""
        if self.certificate is None or self.key is None:
            return
        try:
            # A key with a passphrase must not make a daemon wait at a prompt.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key, _no_passphrase)
        except (OSError, ValueError) as error:
            raise CommandError(
                f"--tls-cert {self.certificate} and --tls-key {self.key} cannot be used, "
                f"expected a PEM certificate chain and its key without a passphrase: {error}"
            ) from error


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--service", action="append", metavar="NAME", help="serve this service; may be repeated (default: all)")
    add(
        "--dir",
        action="append",
        metavar="FOLDER",
        help="folder that services record into; may be repeated (default: STETHOSCOPE_DIR, else where services record by default)",
    )
    add(
        "--user",
        metavar="NAME",
        help="user whose folders are read, where the apps run as another user (default: this one)",
    )
    add("--listen", metavar="HOST:PORT", default=DEFAULT_LISTEN, help=f"where to listen (default: {DEFAULT_LISTEN})")
    add(
        "--token",
        help="bearer token for everything but /healthz and /readyz (default: STETHOSCOPE_TOKEN, which does not show in the list of processes)",
    )
    add(
        "--names",
        action="append",
        metavar="NAMES",
        help="names that requests are scraped under: stethoscope, instrumentator or starlette_exporter; may be repeated (default: STETHOSCOPE_NAMES, else stethoscope)",
    )
    add("--tls-cert", metavar="FILE", help="PEM file with the certificate and its chain; HTTPS is served then")
    add("--tls-key", metavar="FILE", help="PEM file with the certificate's key")


def options(arguments: Namespace, environ: Mapping[str, str] = os.environ) -> Options:
    """Raises `CommandError` and `SettingsError`."""
    settings = Settings.resolve(token=arguments.token, names=arguments.names, environ=environ)
    owner = _user(arguments.user)
    host, port = _address(arguments.listen)
    if settings.token is None and not is_loopback(host, port):
        raise CommandError(
            f"--listen {arguments.listen} can be reached by other machines: "
            f"set STETHOSCOPE_TOKEN to a secret, or listen on {DEFAULT_LISTEN}"
        )
    if (arguments.tls_cert is None) != (arguments.tls_key is None):
        raise CommandError("--tls-cert and --tls-key go together: give both or neither")
    if "" in (arguments.service or []) + (arguments.dir or []):
        raise CommandError(
            "--service takes the name of a service and --dir a folder, got '': leave the option out for all of them"
        )
    service = environ.get("STETHOSCOPE_SERVICE")
    given = [os.path.abspath(folder) for folder in arguments.dir or ()]  # as the log says it
    return Options(
        services=tuple(arguments.service or ([service] if service else [])),
        places=tuple(given or ([settings.dir] if settings.dir else default_places(owner))),
        owner=owner,
        host=host,
        port=port,
        token=settings.token,
        thresholds=settings.thresholds,
        names=settings.names,
        certificate=arguments.tls_cert,
        key=arguments.tls_key,
    )


def _address(listen: str) -> tuple[str, int]:
    found = _LISTEN.fullmatch(listen)
    if found is None or int(found[3]) > 65535:
        raise CommandError(f"--listen takes HOST:PORT, such as {DEFAULT_LISTEN} or [::1]:9464; got {listen!r}")
    return found[1] or found[2], int(found[3])


def is_loopback(host: str, port: int) -> bool:
    """Whether only this machine reaches all that ``host`` stands for. Raises `CommandError` for a name that stands for nothing."""
    return all(ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in addresses(host, port))


def addresses(host: str, port: int) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
    """What ``host`` stands for, as `socket.getaddrinfo` has it, in the order in which to try. An empty one is IPv6 first, which takes IPv4 too."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise CommandError(f"--listen takes an address of this machine, got {host!r}: {error}") from error
    return sorted(found, key=lambda one: (one[0] == socket.AF_INET6) == bool(host))


def _user(name: str | None) -> int | None:
    """A user's number, None for ourselves."""
    import pwd

    if name is None:
        return None
    try:
        number = int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError:
        raise CommandError(f"--user takes the name or number of a user on this machine, got {name!r}") from None
    return None if number == os.geteuid() else number
