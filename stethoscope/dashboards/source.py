"""Where a command reads a service from: an address of an app or a sidecar, or this host's folders."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

from stethoscope.command import CommandError
from stethoscope.settings import Settings
from stethoscope.store.discovery import Discovery
from stethoscope.store.folder import Folder
from stethoscope.store.home import default_places, keys_of, name_of_service
from stethoscope.store.watched import Watched

_PREFIX: Final = "/_stethoscope"
_SECONDS: Final = 10
_TOKEN: Final = ": give the token by --token or STETHOSCOPE_TOKEN"
_NOT_SERVED: Final = ": an app serves it only with a token, and below its prefix (http://127.0.0.1:8000/prefix); a sidecar's services are chosen by --service"
_NO_SUCH_SERVICE: Final = ": --service is for a sidecar with several services; an app has only its own"
_MOST_BYTES: Final = 8 << 20


def add_source_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "address",
        nargs="?",
        help="address of an app or a sidecar, such as http://127.0.0.1:8000 (default: read this host's folders)",
    )
    parser.add_argument("--service", metavar="NAME", help="service to look at, if there are several")
    parser.add_argument(
        "--dir",
        metavar="FOLDER",
        help="folder that services record into (default: STETHOSCOPE_DIR, else where services record by default)",
    )
    parser.add_argument("--token", help="bearer token for the address (default: STETHOSCOPE_TOKEN)")


def question(arguments: Namespace, path: str, query: Mapping[str, str]) -> Request:
    """A question to the API of the address that was given; ``path`` is below the API's own. Raises `CommandError`."""
    address = str(arguments.address)
    parts = urlsplit(address if "://" in address else f"http://{address}")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise CommandError(f"{address} is not an address: expected one such as http://127.0.0.1:8000")
    # Of several services in a sidecar, each has a path of its own.
    usual = f"/services/{quote(keys_of(arguments.service)[-1])}" if arguments.service else _PREFIX
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or usual}"
    url = f"{base}/api/{path}{'?' if query else ''}{urlencode(query)}"
    token = arguments.token or os.environ.get("STETHOSCOPE_TOKEN")
    return Request(url, headers={"authorization": f"Bearer {token}"} if token else {})


def answer(request: Request) -> Any:
    """The document that is answered. Raises `CommandError`."""
    try:
        with urlopen(request, timeout=_SECONDS) as response:
            return json.loads(response.read(_MOST_BYTES))
    except HTTPError as error:
        error.close()  # it is the answer, too
        raise CommandError(
            f"{request.full_url} answered {error.code} {error.reason}{_hint(error.code, request.selector)}"
        ) from error
    except (URLError, OSError) as error:
        raise CommandError(f"{request.full_url} cannot be reached: {getattr(error, 'reason', error)}") from error
    except ValueError as error:
        raise CommandError(f"{request.full_url} does not answer like Stethoscope: {error}") from error


def _hint(status: int, path: str) -> str:
    if status in (401, 403):
        return _TOKEN
    if status != 404:
        return ""
    return _NO_SUCH_SERVICE if path.startswith("/services/") else _NOT_SERVED


def settings_of(arguments: Namespace) -> Settings:
    """A folder on the command line may be relative: it is that of whoever types it."""
    return Settings.resolve(service=arguments.service, dir=arguments.dir and os.path.abspath(arguments.dir))


def one_service(settings: Settings) -> Watched:
    """The one service that is asked for. Raises `CommandError` if there is none, or more than one."""
    places = [settings.dir] if settings.dir else [*filter(os.path.isdir, default_places())] or [*default_places()]
    found, problems = Discovery(places, services=(settings.service,) if settings.service else ()).look({})
    if len(found) != 1:
        text = _several(found, places) if found else _none(settings.service, places)
        raise CommandError("; ".join([text, *problems]))
    [(key, folder)] = found.items()
    return Watched(key.partition("@")[0], folder, lambda where, error: None)


def _several(found: Mapping[str, Folder], places: list[str]) -> str:
    return f"there are several services in {', '.join(places)}, choose one by --service: {_listed(found)}"


def _none(wanted: str | None, places: list[str]) -> str:
    others, _ = Discovery(places).look({})
    if wanted and others:
        return f"there is no service '{wanted}' in {', '.join(places)}, only {_listed(others)}"
    return f"there is no service in {', '.join(places)}: a service is there from its first request on, for the user that it runs as"


def _listed(found: Mapping[str, Folder]) -> str:
    return ", ".join(sorted(map(name_of_service, found.values())))
