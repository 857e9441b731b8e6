"""Where a command reads a service from: an address of an app or a sidecar, or this host's folders."""

from __future__ import annotations

import json
import os
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Final, TypeVar
from urllib.error import HTTPError
from urllib.parse import SplitResult, quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from stethoscope.command import CommandError
from stethoscope.dashboards.shape import fitting
from stethoscope.dashboards.terminal import shown
from stethoscope.settings import Settings
from stethoscope.store.discovery import Discovery
from stethoscope.store.folder import Folder
from stethoscope.store.home import default_places, keys_of, name_of_service
from stethoscope.store.watched import Watched

T = TypeVar("T")

_PREFIX: Final = "/_stethoscope"
_SECONDS: Final = 10
_TOKEN: Final = ": give the token by --token or STETHOSCOPE_TOKEN"
_NOT_SERVED: Final = ": an app serves it only with a token, and below its prefix (http://127.0.0.1:8000/prefix); a sidecar's services are chosen by --service"
_NO_SUCH_SERVICE: Final = ": there is no service '{service}' at {origin}; {origin}/services lists those of a sidecar (an app has only its own: leave --service out)"
_ELSEWHERE: Final = ": it leads to {target}, which is not followed, because the token is for the address that was given; give that one if you trust it"
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


@dataclass(frozen=True, slots=True)
class Question:
    """A question to an API, and what to say when its address answers that there is no such thing."""

    request: Request
    not_found: str


def question(arguments: Namespace, path: str, query: Mapping[str, str]) -> Question:
    """A question to the API of the address that was given; ``path`` is below the API's own. Raises `CommandError`."""
    parts = _parts(str(arguments.address))
    origin, given = f"{parts.scheme}://{parts.netloc}", quote(parts.path.rstrip("/"), safe="/%")
    usual, not_found = _PREFIX, _NOT_SERVED
    if service := arguments.service:
        if given:
            raise CommandError(
                f"--service {service} chooses one of a sidecar's services, and {given} is a path already: "
                f"expected only one of them, such as {origin} --service {service}"
            )
        # Of several services in a sidecar, each has a path of its own.
        usual = f"/services/{quote(keys_of(service)[-1])}"
        not_found = _NO_SUCH_SERVICE.format(service=service, origin=origin)
    url = f"{origin}{given or usual}/api/{path}{'?' if query else ''}{urlencode(query)}"
    return Question(Request(url, headers=_bearing(arguments.token or os.environ.get("STETHOSCOPE_TOKEN"))), not_found)


def _parts(address: str) -> SplitResult:
    """Raises `CommandError`, in which nothing before an @ is repeated: it may be a password."""
    problem = ""
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        if parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and parts.port != 0:
            return parts
    except ValueError as error:
        problem = f" ({error})"
    raise CommandError(
        f"{address.rpartition('@')[2]} is not an address{problem}: expected one such as http://127.0.0.1:8000"
    )


def _bearing(token: str | None) -> dict[str, str]:
    if not token:
        return {}
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise CommandError("the token cannot be sent: expected visible ASCII characters without spaces")
    return {"authorization": f"Bearer {token}"}


class _NoRedirects(HTTPRedirectHandler):
    """The token is for the address that was given. Whoever is named by an answer has not been chosen by anybody."""

    def redirect_request(self, *_: object) -> None:
        return None


def answer(question: Question, shape: type[T]) -> T:
    """The document that is answered, which has this shape. Raises `CommandError`."""
    request = question.request
    try:
        with build_opener(_NoRedirects).open(request, timeout=_SECONDS) as response:
            body = response.read(_MOST_BYTES)
    except HTTPError as error:
        error.close()  # it is the answer, too
        raise CommandError(
            f"{request.full_url} answered {error.code} {shown(error.reason)}{_hint(error, question)}"
        ) from error
    except HTTPException as error:
        raise CommandError(f"{request.full_url} does not answer like Stethoscope: {shown(repr(error))}") from error
    except (OSError, ValueError) as error:  # ValueError: of a host that cannot be a name
        raise CommandError(f"{request.full_url} cannot be reached: {getattr(error, 'reason', error)}") from error
    try:
        return fitting(json.loads(body), shape)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{request.full_url} does not answer like Stethoscope: {shown(str(error))}") from error


def _hint(error: HTTPError, question: Question) -> str:
    if error.code in (401, 403):
        return _TOKEN
    if 300 <= error.code < 400:
        return _ELSEWHERE.format(target=shown(str(error.headers.get("location", "nowhere"))))
    return question.not_found if error.code == 404 else ""


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
